"""What limited a phase that several hosts did together, and which of them."""

from typing import Any

import pytest

from aibench.insight import limits, why
from aibench.judge.gates import hosts
from aibench.model import (
    CacheState,
    Environment,
    HostOf,
    OnHost,
    Phase,
    Sample,
    Target,
    Telemetry,
    Why,
    WorkerResult,
)
from tests import build
from tests.test_insight import CARD, FAR, SECOND, WARM, nfs, share, telemetry

BUSY, IDLE = {"cpu__busy_share": 0.97}, {"cpu__busy_share": 0.2}


def on(name: str, cpu: dict[str, float] | None = None, **changes: Any) -> OnHost:
    """A host with so busy processors."""
    return build.on_host(name, **{"telemetry": telemetry(**cpu or IDLE)} | changes)


def sample(*seen: OnHost, cpu: float = 0.1, moved: int = 1_024_000, **changes: Any) -> Sample:
    """A second of two workers on each of ``seen``, which computed for a share of it."""
    half = int(cpu * SECOND / 2)
    workers = tuple(
        WorkerResult(
            host=host.host, rank=2 * n + k, process=2 * n + k, thread=0, operations=250,
            bytes=moved, start_ns=0, end_ns=SECOND, user_ns=half, system_ns=half,
        )
        for n, host in enumerate(seen)
        for k in range(2)
    )  # fmt: skip
    parts: dict[str, Any] = {
        "workers": workers, "bytes": sum(w.bytes for w in workers),
        "histograms": {"whole": build.histogram(*[1_800_000] * 1000)},
    }  # fmt: skip
    return build.sample(
        measurement=build.measurement(**parts), hosts=seen, ceiling=FAR,
        telemetry=seen[0].telemetry, **changes,
    )  # fmt: skip


def launch_of(given: Sample, **differs: dict[str, Any]) -> Any:
    """How its hosts were started; ``differs`` by the name of a host."""
    told = [HostOf(name=h.host, ranks=2, differs=differs.get(h.host, {})) for h in given.hosts]
    return build.launch(*told)


def asked(given: Sample, target: Target | None = None, **differs: dict[str, Any]) -> Why:
    """What limited ``given``."""
    environment = Environment(metadata=dict(CARD) | {"hostname": "n0"})
    place = target or build.target()
    return why(build.phase(), given, place, environment, launch_of(given, **differs))


def told(
    given: Sample, target: Target | None = None, phase: Phase | None = None, **differs: Any
) -> dict[str, str]:
    """The warnings about ``given``, by code."""
    environment = Environment(metadata=dict(CARD) | {"hostname": "n0"})
    found = limits(
        phase or build.phase(), given, target or build.target(), environment,
        launch_of(given, **differs),
    )  # fmt: skip
    assert len({finding.code for finding in found}) == len(found)
    return {finding.code: finding.message for finding in found}


def test_one_busy_host_binds_the_client() -> None:
    """The host whose processors are at their limit is named, though rank 0's host is idle."""
    given = sample(on("n0"), on("n1"), on("n2", BUSY))
    found = asked(given)
    assert found.limiter == "client_cpu"
    assert found.sentence == (
        "host n2's CPU was the limit: all cores of host n2 were busy 97 % of the time"
    )
    assert "host n2's cores were busy 97 % of the time" in found.figures
    assert told(given)["client_bound"].startswith("all cores of host n2 were busy 97 %")
    assert "client_bound" not in told(sample(on("n0"), on("n1")))


def test_others_are_told_with_the_worst() -> None:
    """Of many busy hosts the worst is told with its figure, some by name, the rest by number."""
    busy = [on(f"n{n}", {"cpu__busy_share": 0.91 + n / 1000}) for n in range(8)]
    found = told(sample(*busy))["client_bound"]
    assert found == (
        "all cores of host n7 were busy 91.7 % of the time: the storage may be faster than it "
        "could show here (as well as host n0, host n1, host n2 and 4 more hosts)"
    )


def test_workers_of_one_host() -> None:
    """Workers that compute are told from their own host's time, not from that of all."""
    given = sample(on("n0"), on("n1"), cpu=0.95)
    assert told(given)["client_bound"].startswith("the workers of host n0 computed 95 %")


def test_network_card_of_a_host() -> None:
    """A full card counts on the host that has it; cards that are not known are not judged."""
    full = IDLE | {"nic__eth0__received_bytes_rate": 1.2e9, "nic__eth0__sent_bytes_rate": 1e6}
    given = sample(on("n0"), on("n1", full))
    found = asked(given, share())
    assert found.limiter == "network"
    assert found.sentence.startswith("network card eth0 of host n1 was the limit: 1.20 GB/s")
    assert "eth0 of host n1 carried 1.20 GB/s" in told(given, share())["nic_bound"]
    assert "nic_bound" not in told(given, share(), n1={"nic": "other"})
    assert told(sample(on("n0"), on("n1")), share()) == {}


def test_long_intervals_of_many_hosts() -> None:
    """A long interval that began a little before the phase counts, one much before does not."""
    for late, limited in ((SECOND // 100, False), (SECOND // 5, True)):
        seen = Telemetry(
            ends_ns=(SECOND // 2 + late, SECOND + late), series={"cpu.busy_share": (0.1, 0.97)},
            cost_ns=1, watched_ns=SECOND + late,
        )  # fmt: skip
        assert ("client_bound" in told(sample(on("n0"), on("n1", telemetry=seen)))) == limited


def test_impossible_on_one_host() -> None:
    """Each host is held against its own cards: four times one card is no miracle on four hosts."""
    cards = IDLE | {"nic__eth0__received_bytes_rate": 1e9, "nic__eth0__sent_bytes_rate": 1.0}
    evidence = build.evidence(asked_bytes=10**13, delivered_bytes=10**13)
    seen = [on(f"n{n}", cards, evidence=evidence) for n in range(4)]
    fine = sample(*seen, moved=600_000_000, evidence=evidence)
    assert "impossible" not in told(fine, share())
    found = told(sample(*seen, moved=700_000_000, evidence=evidence), share())["impossible"]
    assert found.startswith("1.40 GB/s is more than the 1.25 GB/s that all network cards of host")


def test_cache_of_one_host() -> None:
    """A phase that was warm on one host is limited by its cache, by the evidence of all."""
    mixed = build.evidence(state=CacheState.MIXED, reason="n1 warm: 100 % resident before")
    found = asked(sample(on("n0"), on("n1", evidence=WARM), evidence=mixed))
    assert found.limiter == "cache"
    assert "n1 warm" in found.sentence


def test_slots_of_one_host() -> None:
    """Requests that wait on one host are found there; the figures are those of all hosts."""
    queued = nfs(queue_ms=1600, trip_ms=400)
    free = nfs(queue_ms=10, trip_ms=1500)
    found = asked(sample(on("n0", nfs=free), on("n1", nfs=queued), cpu=0.9), share())
    assert found.limiter == "slots"
    assert found.sentence.startswith("NFS requests waited on host n1 before they were sent")
    assert any(text.startswith("4.00 k NFS requests") for text in found.figures)


@pytest.mark.parametrize("series", [{"cpu__steal_share": 0.3}, {"cpu__waiting_count": 5}])
def test_disturbed_host(series: dict[str, float]) -> None:
    """Stolen time and a queue of threads are told of the host where they were seen."""
    looks = OnHost(host="n1", ranks=2, telemetry=telemetry(looks=4, **series))
    found = told(sample(on("n0"), looks))
    assert len(found) == 1
    assert "host n1" in next(iter(found.values()))


def test_a_single_host_is_the_client() -> None:
    """With MPI on one host sentences are those of a run without it."""
    found = told(sample(on("n0", BUSY)))["client_bound"]
    assert found.startswith("all cores of the client were busy 97 % of the time")
    assert asked(sample(on("n0", BUSY))).sentence.startswith("the client's CPU was the limit")


def test_hosts_of_one_kernel_are_one_client() -> None:
    """Containers of one machine are one client for claims, whatever they are called.

    In each sample the kernel of a host counts that it had then.
    """
    apart = [on("n0"), on("n1")]
    assert hosts([sample(*apart)]) == 2
    assert hosts([sample(on("n0", boot="b"), on("n1", boot="b"))]) == 1
    assert hosts([sample(on("n0", boot=None), on("n1", boot=None))]) == 2
    assert hosts([sample(on("n0", boot="b")), sample(on("n1", boot="b"))]) == 1


def test_thousand_hosts_are_looked_at() -> None:
    """A phase of a thousand hosts is explained by the one that was at its limit."""
    seen = [on(f"n{n}", BUSY if n == 777 else IDLE) for n in range(1000)]
    given = sample(*seen)
    assert "host n777" in asked(given).sentence
    assert list(told(given)) == ["client_bound"]
