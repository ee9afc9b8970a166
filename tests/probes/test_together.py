"""From the evidence and the telemetry of hosts to those of all of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.model import CachePolicy, CacheState, Evidence, OnHost, Telemetry
from aibench.probes.together import condensed, together
from tests import build

COLD, MIXED, WARM, UNKNOWN = CacheState.COLD, CacheState.MIXED, CacheState.WARM, CacheState.UNKNOWN


def host(name: str, state: CacheState = COLD, **changes: object) -> OnHost:
    """A host of its own machine with evidence of ``state``, for the reason ``why <name>``."""
    expected = {COLD: "cold as asked: ", UNKNOWN: ""}.get(state, "not cold as asked: ")
    evidence = build.evidence(state=state, reason=f"{expected}why {name}", **changes)
    return build.on_host(name, evidence=evidence)


def merged(hosts: Sequence[OnHost]) -> Evidence:
    """The evidence of all, of a phase that was to be cold."""
    found = together(hosts, CachePolicy.COLD)
    assert found is not None
    return found


HOSTS = st.lists(
    st.builds(
        lambda state, asked, share, resident: (state, asked, int(asked * share), resident),
        st.sampled_from(CacheState), st.integers(0, 10**15), st.floats(0, 3),
        st.none() | st.floats(0, 1),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@given(HOSTS)
def test_never_better_than_any_part(parts: list[tuple[CacheState, int, int, float | None]]) -> None:
    """Cold is only what was cold on all hosts that asked, warm what was warm on all of them."""
    hosts = [
        host(f"n{n}", state, asked_bytes=asked, delivered_bytes=moved, resident_share=resident)
        for n, (state, asked, moved, resident) in enumerate(parts)
    ]
    found = merged(hosts)
    asking = {state for state, asked, _, _ in parts if asked} or {UNKNOWN}
    if len(hosts) > 1:
        assert (found.state is COLD) == (asking == {COLD})
        assert (found.state is WARM) == (asking == {WARM})
        assert (found.state is UNKNOWN) == (UNKNOWN in asking and not asking & {MIXED, WARM})
    assert found.asked_bytes == sum(asked for _, asked, _, _ in parts)
    resident = [share for _, asked, _, share in parts if asked]
    if found.resident_share is not None and len(hosts) > 1:
        known = [share for share in resident if share is not None]
        assert len(known) == len(resident)
        assert min(known) * (1 - 1e-9) <= found.resident_share <= max(known) * (1 + 1e-9)


@given(st.sampled_from(CacheState), st.sampled_from(CachePolicy))
def test_one_host_is_itself(state: CacheState, policy: CachePolicy) -> None:
    """The evidence of a single host is that of the phase, to the letter."""
    alone = host("n0", state)
    assert together([alone], policy) == alone.evidence


def test_cold_on_all() -> None:
    """A cold phase says on how many hosts, with the figures of the one that got least."""
    least = host("n1", delivered_bytes=4_000_000, resident_share=0.01, resident_files=50)
    found = merged([host("n0"), least, host("n2")])
    assert found.reason == "cold as asked: on all 3 hosts; the least was delivered to n1: why n1"
    assert found.delivered_bytes == 2 * 4_136_960 + 4_000_000
    assert (found.resident_files, found.files) == (250, 300)
    assert found.resident_share == pytest.approx(0.01 / 3)
    assert (found.resident_method, found.eviction) == ("cachestat", "sync, drop_caches")


def test_parts_that_are_not_cold_are_named() -> None:
    """What was cached comes first, then what is not known, each with its host; the rest counts."""
    found = merged([host("n0"), host("n1", UNKNOWN), host("n2", WARM), host("n3")])
    assert found.state is MIXED
    assert found.reason == (
        "not cold as asked: n2 warm: why n2; n1 unknown: why n1; cold on the other 2"
    )
    many = merged([host(f"n{n}", WARM) for n in range(1000)])
    assert many.state is WARM
    assert many.reason.endswith("n2 warm: why n2; 997 more like that")
    assert len(many.reason) < 200


def test_host_without_evidence() -> None:
    """Where one host tells nothing the phase is not known to be cold; where none does there is
    none.
    """
    silent = replace(build.on_host("n1"), evidence=None)
    found = merged([host("n0"), silent])
    assert found.state is UNKNOWN
    assert "n1 unknown: no evidence was taken" in found.reason
    assert found.delivered_bytes is None
    assert together([silent, replace(silent, host="n2")], CachePolicy.COLD) is None


def test_containers_of_one_machine() -> None:
    """Hosts of one kernel and one mount read one counter: it counts once, for what both asked."""
    pair = [replace(host(f"n{n}"), boot="b") for n in range(2)]
    found = merged(pair)
    assert found.delivered_bytes == 4_136_960
    assert found.state is MIXED
    assert "n0, n1 mixed: they share one mount, which got 50.5 %" in found.reason
    enough = [replace(host(f"n{n}", delivered_bytes=9_000_000), boot="b") for n in range(2)]
    assert (merged(enough).state, merged(enough).delivered_bytes) == (COLD, 9_000_000)
    apart = [pair[0], replace(pair[1], device_id="0:54")]
    assert (merged(apart).state, merged(apart).delivered_bytes) == (COLD, 2 * 4_136_960)


def test_unknown_kernels() -> None:
    """Where kernels are not known two hosts may read one counter, and nothing is called cold."""
    unsure = [replace(host(f"n{n}"), boot=None) for n in range(2)]
    found = merged(unsure)
    assert (found.state, found.delivered_bytes) == (UNKNOWN, None)
    assert "n0, n1 may read the same counters" in found.reason
    assert merged([unsure[0], host("n1")]).state is COLD


def watched(intervals: int) -> Telemetry:
    """Seconds of a client with two cores, one of them busy."""
    return Telemetry(
        ends_ns=tuple(10**9 * (n + 1) for n in range(intervals)),
        series={
            "cpu.busy_share": tuple((n % 10) / 10 for n in range(intervals)),
            "cpu.core.0.busy_share": (0.1,) * intervals,
            "cpu.core.1.busy_share": (0.123456,) * intervals,
            "nic.eth0.sent_bytes_rate": (None,) * intervals,
        },
        cost_ns=5,
        watched_ns=10**9 * intervals,
    )


@given(st.integers(1, 600), st.integers(1, 20_000))
def test_telemetry_of_many_hosts_stays_small(intervals: int, hosts: int) -> None:
    """All hosts together keep a bounded number of intervals, with the same means and ends."""
    seen = watched(intervals)
    found = condensed(seen, hosts)
    assert len(found.ends_ns) <= max(4096 // hosts, 2)
    assert (found.ends_ns[-1], found.watched_ns) == (seen.ends_ns[-1], seen.watched_ns)
    assert found.mean("cpu.busy_share") == pytest.approx(seen.mean("cpu.busy_share"), abs=1e-3)
    assert found.mean("nic.eth0.sent_bytes_rate") is None
    assert found.mean("cpu.core.1.busy_share") == pytest.approx(0.1235, abs=1e-4)
    if hosts <= 6:
        assert found == seen
    elif found != seen:
        assert "cpu.core.0.busy_share" not in found.series
