"""What limited a phase is decided by its figures, the most certain ones first."""

from typing import Any

import pytest

from aibench.insight import limits, why
from aibench.judge.gates import gates
from aibench.model import (
    Accelerated,
    CachePolicy,
    CacheState,
    Ceiling,
    Environment,
    Finding,
    NfsFigures,
    NfsOperation,
    Operation,
    Sample,
    SyncPolicy,
    Target,
    Telemetry,
    Training,
    Why,
    WorkerResult,
)
from tests import build
from tests.test_judge import claim

SECOND = build.SECOND
GB = 10**9
CARD = {"nic_eth0": "10000 Mbit/s", "nic_ifb0": None}


def telemetry(looks: float = 2, **series: float) -> Telemetry:
    """A second in equal intervals, with each series constant; ``__`` in a name is a dot."""
    return Telemetry(
        ends_ns=tuple(int(SECOND * n / looks) for n in range(1, int(looks) + 1)),
        series={name.replace("__", "."): (value,) * int(looks) for name, value in series.items()},
        cost_ns=1000,
        watched_ns=SECOND,
    )


def workers(cpu: float | None, number: int = 2, hosts: int = 1) -> tuple[WorkerResult, ...]:
    """Workers that computed for this share of a second."""
    half = None if cpu is None else int(cpu * SECOND / 2)
    return tuple(
        WorkerResult(
            host=f"client{n % hosts}", process=n, thread=0, operations=500, bytes=2_048_000,
            start_ns=0, end_ns=SECOND, user_ns=half, system_ns=half,
        )
        for n in range(number)
    )  # fmt: skip


def sample(cpu: float | None = 0.1, waiting: float = 0.9, **changes: Any) -> Sample:
    """A second of two workers that waited for this share of it in 1000 operations."""
    own = {"hosts", "number"} & set(changes)
    measured = {
        "workers": workers(cpu, **{name: changes.pop(name) for name in own}),
        "histograms": {"whole": build.histogram(*[int(waiting * 2 * SECOND / 1000)] * 1000)},
        **changes.pop("measured", {}),
    }
    return build.sample(measurement=build.measurement(**measured), **changes)


def rpc(name: str, count: int, queue_ms: int, trip_ms: int, **changes: Any) -> NfsOperation:
    """Operations with these times in ms, all together."""
    parts = {
        "name": name, "operations": count, "transmissions": count, "timeouts": 0,
        "sent_bytes": 200 * count, "received_bytes": 4_296 * count, "queue_ns": queue_ms * 10**6,
        "round_trip_ns": trip_ms * 10**6, "execute_ns": (queue_ms + trip_ms) * 10**6, "errors": 0,
    }  # fmt: skip
    return NfsOperation(**parts | changes)


def nfs(queue_ms: int = 10, trip_ms: int = 1500, **changes: Any) -> NfsFigures:
    """A thousand READs and as many GETATTRs, with these times for the READs."""
    parts: dict[str, Any] = {
        "operations": (rpc("GETATTR", 1000, 0, 100), rpc("READ", 1000, queue_ms, trip_ms)),
        "asked_bytes": (4_096_000, 0),
        "served_bytes": (4_096_000, 0),
    }
    return NfsFigures(**parts | changes)


def share(**changes: Any) -> Target:
    """An NFS mount from another machine."""
    parts: dict[str, Any] = {
        "fstype": "nfs4", "source": "nas:/data", "server": "nas", "device": None,
        "options": ("rw", "vers=4.2", "nconnect=4", "addr=10.0.0.9"),
    }  # fmt: skip
    return build.target(**parts | changes)


def asked(given: Sample, target: Target | None = None, facts: Any = CARD, **phase: Any) -> Why:
    """What limited ``given``."""
    return why(
        build.phase(**phase), given, target or build.target(), Environment(metadata=dict(facts))
    )


def codes(
    given: Sample, target: Target | None = None, facts: Any = CARD, **phase: Any
) -> list[str]:
    """The codes of the warnings about ``given``; each message is one plain sentence."""
    environment = Environment(metadata=dict(facts))
    found = limits(build.phase(**phase), given, target or build.target(), environment)
    for finding in found:
        assert finding.message[0].islower() or finding.message[0].isdigit()
        assert not finding.message.endswith(".")
    return [finding.code for finding in found]


NEAR = Ceiling(operations=1100, bytes=4_505_600, elapsed_ns=SECOND)
FAR = Ceiling(operations=50_000, bytes=204_800_000, elapsed_ns=SECOND)
WARM = build.evidence(state=CacheState.WARM, reason="100 % resident before", delivered_bytes=0)
FULL_CARD = {"nic__eth0__received_bytes_rate": 1.2e9, "nic__eth0__sent_bytes_rate": 1e6}
BUSY = {"device__sda__utilisation_share": 0.98, "device__sda__queue_count": 14.2}
QUEUED = nfs(queue_ms=1500, trip_ms=300)


def test_order_of_certainty() -> None:
    """Of several limits the most certain is named; each that is taken away leaves the next."""
    everything: dict[str, Any] = {
        "cpu": 0.95,
        "waiting": 0.97,
        "ceiling": NEAR,
        "evidence": WARM,
        "telemetry": telemetry(**FULL_CARD),
        "nfs": QUEUED,
    }
    without = [
        ("harness", {"ceiling": FAR}),
        ("client_cpu", {"cpu": 0.2}),
        ("cache", {"evidence": build.evidence()}),
        ("network", {"telemetry": telemetry(cpu__busy_share=0.2)}),
        ("slots", {"nfs": nfs()}),
        ("latency", {"waiting": 0.6}),
        ("server", {"nfs": None}),
        ("unknown", {}),
    ]
    for limiter, change in without:
        assert asked(sample(**everything), share()).limiter == limiter
        everything |= change


def test_harness() -> None:
    """A ceiling close to the rate shows that the harness was the limit."""
    found = asked(sample(ceiling=NEAR))
    assert found.limiter == "harness"
    assert "only 1.10 times this rate" in found.sentence
    assert found.figures[0] == "ceiling 1.10 times the measured rate; 1.25 is needed"
    assert found.next_step


@pytest.mark.parametrize(
    ("cpu", "series", "sentence"),
    [
        (0.95, {}, "the workers computed 95 % of their time"),
        (None, {"cpu__busy_share": 0.94}, "all cores of the client were busy 94 % of the time"),
        (0.6, {"cpu__busiest_core_share": 0.97}, "the busiest core of the client was busy 97 %"),
        (
            0.1,
            {
                "cpu__busiest_core_share": 0.97,
                "cpu__core__0__busy_share": 0.2,
                "cpu__core__11__busy_share": 0.96,
            },
            "core 11 of the client was busy 97 % of the time, though the workers computed only 10",
        ),
    ],
)
def test_client_cpu(cpu: float | None, series: dict[str, float], sentence: str) -> None:
    """Workers, all cores or one core at their limit are named."""
    given = sample(cpu=cpu, telemetry=telemetry(**series, cpu__steal_share=0.07))
    found = asked(given)
    assert found.limiter == "client_cpu"
    assert sentence in found.sentence
    assert "7 % of CPU time was stolen by the hypervisor" in found.figures
    assert codes(given) == ["client_bound", "steal"]


def test_quota() -> None:
    """A quota that holds the workers back is the client's limit, however idle its cores are."""
    given = sample(cpu=0.1, waiting=0.95, telemetry=telemetry(cpu__quota__held_share=0.8))
    found = asked(given)
    assert found.limiter == "client_cpu"
    assert "quota of the control group held its processes back in 80 % of its" in found.sentence
    assert "raise the CPU quota" in found.next_step
    assert codes(given) == ["client_bound"]
    assert codes(sample(telemetry=telemetry(cpu__quota__held_share=0.05))) == []


@pytest.mark.parametrize("state", [CacheState.WARM, CacheState.MIXED])
def test_cache(state: CacheState) -> None:
    """Of data that the page cache served nothing is said about storage; writes are not asked."""
    evidence = build.evidence(state=state, reason="half of it resident before")
    found = asked(sample(evidence=evidence))
    assert found.limiter == "cache"
    assert "half of it resident before" in found.sentence
    assert asked(sample(evidence=evidence), operation=Operation.WRITE_FILES).limiter != "cache"


def test_network() -> None:
    """A card near its line rate is the limit for a network target, never for a local one."""
    given = sample(telemetry=telemetry(**FULL_CARD))
    found = asked(given, share())
    assert found.limiter == "network"
    assert "network card eth0 was the limit: 1.20 GB/s is 96 % of its line rate" in found.sentence
    assert codes(given, share()) == ["nic_bound"]
    assert asked(given).limiter != "network"
    assert codes(given) == []


def test_slots_by_time() -> None:
    """Requests that wait on the client longer than they travel lack slots or connections."""
    found = asked(sample(nfs=QUEUED), share())
    assert found.limiter == "slots"
    assert "78.9 % of their time" in found.sentence
    assert "now nconnect=4" in found.next_step
    assert "mean time in the client's queue 750 µs" in found.figures


def test_slots_by_backlog() -> None:
    """A backlog of requests without a slot says the same; a stray one does not."""
    assert asked(sample(nfs=nfs(backlog_mean=3.0)), share()).limiter == "slots"
    assert asked(sample(nfs=nfs(backlog_mean=0.01)), share()).limiter == "latency"


def test_few_requests_are_no_limit() -> None:
    """NFS requests that took a small part of the workers' time are not called the limit."""
    few = nfs(queue_ms=100, trip_ms=10)
    assert asked(sample(waiting=0.4, nfs=few), share()).limiter == "unknown"


def test_latency() -> None:
    """Workers that only waited for one operation at a time are limited by latency."""
    given = sample(waiting=0.95, nfs=nfs())
    found = asked(given, share())
    assert found.limiter == "latency"
    assert "2 workers waited for one operation at a time, 1.90 ms each, 95 %" in found.sentence
    assert found.next_step.startswith("try 4 workers")
    assert asked(given, share(), depth=8).limiter == "server"
    half = telemetry(nic__eth0__received_bytes_rate=0.7e9)
    assert asked(sample(nfs=nfs(), telemetry=half), share()).limiter == "server"


def test_latency_of_a_local_device() -> None:
    """One worker alone is limited by latency; several only where the device has no queue."""
    alone = sample(number=1, waiting=0.45)
    assert asked(alone, processes=1).limiter == "latency"
    assert "1 worker waited" in asked(alone, processes=1).sentence
    idle = telemetry(device__sda__utilisation_share=1.0, device__sda__queue_count=0.9)
    assert asked(sample(telemetry=idle)).limiter == "latency"
    assert asked(sample()).limiter == "unknown"


def test_server() -> None:
    """Long round trips with a client at ease are the server's, or the way's."""
    found = asked(sample(waiting=0.6, nfs=nfs()), share())
    assert found.limiter == "server"
    assert "round trips of 800 µs are 99.4 % of the time" in found.sentence
    assert "how full the network was is not known" in found.sentence
    assert asked(sample(cpu=0.8, waiting=0.6, nfs=nfs()), share()).limiter == "unknown"


def test_device() -> None:
    """A device that is always busy with a queue set the rate, in careful words."""
    found = asked(sample(telemetry=telemetry(**BUSY)))
    assert found.limiter == "device"
    assert "requests queued at block device sda, 14.2 on the average, 98 %" in found.sentence
    assert "NVMe and virtio devices do many requests at once" in found.next_step
    assert asked(sample(waiting=0.4, telemetry=telemetry(**BUSY)), share()).limiter == "unknown"


def test_unknown_says_what_is_missing() -> None:
    """Where nothing tells, the answer lists the figures that would have."""
    found = asked(sample(cpu=None, evidence=None), share(), {})
    assert found.limiter == "unknown"
    for name in ("ceiling", "CPU use", "where the bytes came from", "NFS mount's", "network cards"):
        assert name in found.sentence
    known = telemetry(device__sda__utilisation_share=0.3, device__sda__queue_count=0.4)
    found = asked(sample(waiting=0.4, ceiling=FAR, telemetry=known))
    assert found.sentence == "nothing that was watched came to its limit"
    assert "block device sda busy 30 % of the time, 0.4 requests under way" in str(found.figures)
    here = asked(sample(waiting=0.4, ceiling=FAR, nfs=nfs(1, 1)), share(server="127.0.0.1"))
    assert here.sentence == "nothing that was watched came to its limit"


def test_a_phase_that_took_no_time() -> None:
    """A sample without time or operations gets an answer too."""
    nothing = {"operations": 0, "bytes": 0, "elapsed_ns": 0, "workers": (), "histograms": {}}
    given = sample(measured=nothing, nfs=NfsFigures(), ceiling=FAR)
    assert asked(given, share()).limiter == "unknown"
    assert codes(given, share()) == []


def test_nfs_figures() -> None:
    """The figures of the mount: requests a file and a GB, the wire, times, repeats, the cache."""
    reads = rpc("READ", 500, 500, 1000, transmissions=510)
    given = nfs(
        operations=(rpc("GETATTR", 1000, 0, 100), reads),
        asked_bytes=(4_096_000, 0),
        served_bytes=(1_024_000, 0),
    )
    figures = asked(sample(waiting=0.4, nfs=given), share()).figures
    assert figures == (
        "the workers computed 10 % of their time",
        "1.50 k NFS requests: 1.5 a file, 366 k a GB",
        "6.74 MB on the wire for 4.10 MB asked for, 1.65 times",
        "READ ×500: mean round trip 2.00 ms, mean execution 3.00 ms",
        "GETATTR ×1.00 k: mean round trip 100 µs, mean execution 100 µs",
        "10 retransmissions, 0.667 %",
        "the page cache served 75 % of buffered reads",
    )


def test_direct_reads_are_not_the_cache() -> None:
    """Reads past the page cache leave nothing to say about it."""
    direct = nfs(direct_bytes=(4_096_000, 0))
    assert "page cache" not in str(asked(sample(nfs=direct), share()).figures)


FAST = {"bytes": 2 * GB}
ALL_OF_IT = build.evidence(delivered_bytes=2 * GB, asked_bytes=2 * GB)


@pytest.mark.parametrize(
    ("target", "facts", "changes", "expected"),
    [
        (share(), {"nic_eth0": "10000 Mbit/s"}, {}, True),
        (share(), {"nic_eth0": "10000 Mbit/s", "nic_eth1": "10000 Mbit/s"}, {}, False),
        (share(), {"nic_eth0": "10000 Mbit/s", "nic_eth1": None}, {}, False),
        (share(), {"nic_eth0": "nonsense"}, {}, False),
        (share(), {}, {}, False),
        (share(server="127.0.0.1"), {"nic_eth0": "10000 Mbit/s"}, {}, False),
        (share(options=("addr=127.0.0.1",)), {"nic_eth0": "10000 Mbit/s"}, {}, False),
        (share(), {"nic_eth0": "10000 Mbit/s", "hostname": "nas"}, {}, False),
        (share(options=("proto=rdma",)), {"nic_eth0": "10000 Mbit/s"}, {}, False),
        (share(), {"nic_eth0": "10000 Mbit/s"}, {"hosts": 2}, False),
        (share(), {"nic_eth0": "10000 Mbit/s"}, {"evidence": WARM}, False),
        (build.target(), {"nic_eth0": "10000 Mbit/s"}, {}, False),
        (build.target(), {"link_sda1": 1.9e9}, {}, True),
        (build.target(), {"link_sda1": 2.1e9}, {}, False),
        (build.target(), {"link_sda1": 1.9e9}, {"evidence": WARM}, False),
        (build.target(), {"link_sdb": 1.9e9}, {}, False),
        (build.target(), {"link_sda1": None}, {}, False),
    ],
)
def test_impossible(target: Target, facts: Any, changes: dict[str, Any], expected: bool) -> None:
    """Two GB/s from storage over slower cards or a slower link are impossible.

    Nothing is said where memory explains it, or where not every way is known.
    """
    given = sample(measured=FAST, **{"evidence": ALL_OF_IT, **changes})
    assert codes(given, target, facts) == ["impossible"] * expected


def test_silent_cards_beside_the_way() -> None:
    """A card of unknown speed that carried nothing does not hide that a rate is impossible."""
    facts = {"nic_eth0": "10000 Mbit/s", "nic_docker0": None}
    carried = {"nic__eth0__sent_bytes_rate": 1e6, "nic__eth0__received_bytes_rate": 1e8}
    for beside, expected in ((0.0, ["impossible"]), (1e9, [])):
        watched = telemetry(**carried, nic__docker0__sent_bytes_rate=beside)
        given = sample(measured=FAST, evidence=ALL_OF_IT, telemetry=watched)
        assert codes(given, share(), facts) == expected


def test_impossible_writes() -> None:
    """A write above the line rate is impossible where the data had to be durable."""
    given = sample(measured=FAST, evidence=None)
    for sync, expected in ((SyncPolicy.END, ["impossible"]), (SyncPolicy.NONE, [])):
        phase = {"operation": Operation.WRITE_FILES, "sync": sync, "cache": CachePolicy.AS_FOUND}
        assert codes(given, share(), {"nic_eth0": "10000 Mbit/s"}, **phase) == expected


def test_retransmissions() -> None:
    """Requests that were sent again are counted against all of them."""
    again = nfs(operations=(rpc("READ", 1000, 0, 100, transmissions=1012),))
    found = limits(build.phase(), sample(nfs=again), share(), Environment())
    assert [(finding.code, finding.message) for finding in found] == [
        (
            "retransmissions",
            "12 of 1.00 k NFS requests were sent again (1.2 %): network or server lost them",
        )
    ]
    assert codes(sample(nfs=nfs()), share()) == []


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ({"memory__swap_bytes_rate": 1e6}, ["swapping"]),
        ({"memory__swap_bytes_rate": 0.0}, []),
        ({"pressure__memory__some_share": 0.2}, ["swapping"]),
        ({"pressure__memory__some_share": 0.01}, []),
        ({"cpu__steal_share": 0.06}, ["steal"]),
        ({"cpu__steal_share": 0.05}, []),
    ],
)
def test_disturbed_client(series: dict[str, float], expected: list[str]) -> None:
    """Stolen CPU time and swapping are told from where they matter on."""
    assert codes(sample(telemetry=telemetry(**series))) == expected


@pytest.mark.parametrize(
    ("looks", "waiting", "expected"),
    [(4, 1.0, ["run_queue"]), (4, 0.9, []), (3, 5.0, [])],
)
def test_run_queue(looks: int, waiting: float, expected: list[str]) -> None:
    """Threads without a processor are told where they were seen often enough."""
    assert codes(sample(telemetry=telemetry(looks, cpu__waiting_count=waiting))) == expected


@pytest.mark.parametrize(
    ("again", "sent", "expected"),
    [(12, 9988, ["tcp_retransmits"]), (9, 91, []), (12, 12_000, []), (0, 0, []), (12, None, [])],
)
def test_tcp_retransmits(again: float, sent: float | None, expected: list[str]) -> None:
    """One segment of a thousand that is sent again, ten at least, is told for network targets."""
    series = {"tcp__retransmits_rate": again, "tcp__segments_rate": sent}
    given = sample(telemetry=telemetry(**{n: v for n, v in series.items() if v is not None}))
    assert codes(given, share()) == expected
    assert codes(given) == []
    assert codes(given, share(options=("proto=rdma",))) == []
    if expected:
        (found,) = limits(build.phase(), given, share(), Environment())
        assert found.message == (
            "this client sent 12 of 10.0 k (0.12 %) TCP segments again: the network loses packets"
        )


@pytest.mark.parametrize(
    ("drops", "errors", "bytes_", "expected"),
    [
        (10, 2, 1e6, ["packets_lost"]),
        (5, 2, 1e6, []),
        (10, 2, 10.0, []),
    ],
)
def test_packets_lost(drops: float, errors: float, bytes_: float, expected: list[str]) -> None:
    """Packets that the card on the way to the server lost are told, those of others are not."""
    watched = telemetry(
        nic__eth0__received_bytes_rate=bytes_,
        nic__eth0__sent_bytes_rate=0.0,
        nic__eth0__packets_rate=10_000,
        nic__eth0__drops_rate=drops,
        nic__eth0__errors_rate=errors,
    )
    assert codes(sample(telemetry=watched), share()) == expected
    assert codes(sample(telemetry=watched)) == []


def test_memory_short() -> None:
    """Memory that the threads of a phase had to free themselves is held against its bytes."""
    for reclaimed, expected in ((500_000.0, ["memory_short"]), (400_000.0, [])):
        given = sample(telemetry=telemetry(memory__reclaimed_bytes_rate=reclaimed))
        assert codes(given) == expected


def test_start_of_the_workers_is_left_out() -> None:
    """What is seen before the phase begins does not make a card look less full than it was."""
    watched = Telemetry(
        ends_ns=(SECOND, 3 * SECOND // 2, 2 * SECOND),
        series={"nic.eth0.received_bytes_rate": (0.0, 1.2e9, 1.2e9)},
        cost_ns=1000,
        watched_ns=2 * SECOND,
    )
    assert asked(sample(telemetry=watched), share()).limiter == "network"
    longer = {"elapsed_ns": 2 * SECOND}
    assert asked(sample(telemetry=watched, measured=longer), share()).limiter != "network"


def test_each_warning_is_a_one_sided_gate() -> None:
    """What makes storage look slow forbids to refute a claim; what makes it look fast, to meet."""
    slow = {
        *("client_bound", "run_queue", "nic_bound", "packets_lost", "tcp_retransmits"),
        *("retransmissions", "steal", "swapping", "memory_short"),
    }
    claimed = claim(scope="device")
    for code in (*slow, "impossible"):
        finding = Finding(code=code, message="seen")
        record = build.record(sample(ceiling=FAR, warnings=(finding,)))
        (found,) = (
            gate
            for gate in gates(record, build.phase(), record.samples, claimed)
            if gate.finding.code == code
        )
        assert found.forbids_not_met
        assert found.forbids_met is (code == "impossible")
        assert found.remedy


@pytest.mark.parametrize(("busy", "limiter"), [(0.985, "accelerators"), (0.97, "latency")])
def test_accelerators_that_are_fed(busy: float, limiter: str) -> None:
    """Where batches are hardly ever late, the target was not the limit: it gave what was asked."""
    late = SECOND - int(busy * SECOND)
    one = Accelerated(
        host="here", number=0, steps=9, bytes=1, first_batch_ns=0, first_step_ns=0, end_ns=SECOND,
        wait_ns=late, compute_ns=SECOND - late, barrier_ns=0, stall_ns=late,
    )  # fmt: skip
    training = Training(batch=1, accelerators=(one,))
    found = asked(sample(measured={"training": training}), share())
    assert found.limiter == limiter


def test_nothing_known_gives_no_warning() -> None:
    """Figures that are missing give no warning."""
    assert codes(sample(cpu=None, evidence=None), share(), {}) == []


def test_storage_that_was_never_filled_is_not_refuted() -> None:
    """A rate that waiting workers set is too low for no claim: more at once may give more."""
    alone = sample(number=1, waiting=0.45)
    busy = sample(telemetry=telemetry(**BUSY))
    for given, expected in ((alone, ["not_filled"]), (busy, [])):
        record = build.record(given)
        phase = build.phase(processes=1)
        closed = gates(record, phase, record.samples, claim(scope="device"))
        found = [gate for gate in closed if gate.finding.code == "not_filled"]
        assert [gate.finding.code for gate in found] == expected
        assert all(gate.forbids_not_met and not gate.forbids_met for gate in found)
    record = build.record(alone)
    about_time = gates(record, build.phase(processes=1), record.samples, claim(unit="ns"))
    assert "not_filled" not in {gate.finding.code for gate in about_time}
