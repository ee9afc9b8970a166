"""What two looks at the kernel's counters say about the time between."""

import math
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.probes import counters
from aibench.probes.counters import Kind, series

SECOND = 10**9
KINDS = {
    "stat": counters.PROCESSORS,
    "meminfo": counters.MEMORY,
    "vmstat": counters.PAGING,
    "pressure": counters.PRESSURE,
    "net_dev": counters.CARDS,
    "net_dev_with_lo": counters.CARDS_AND_LOOPBACK,
    "snmp": counters.TCP,
    "block": counters.DEVICE,
    "mountstats": counters.NFS,
}


def over_a_second(kind: Kind, *texts: str) -> dict[str, tuple[float | None, ...]]:
    """The series of a file that said ``texts``, one a second."""
    encoded = [text.encode() for text in texts]
    return series(kind, encoded, [SECOND * number for number in range(len(texts))])


def stat(*cores: tuple[int, int], system: int = 0, running: int = 3) -> str:
    """``/proc/stat`` with (busy, idle) ticks for each core."""
    busy, idle = (sum(core[i] for core in cores) for i in (0, 1))
    lines = [f"cpu  {busy - system} 0 {system} {idle} 0 0 0 0 0 0"]
    lines += [f"cpu{n} {busy} 0 0 {idle} 0 0 0 0 0 0" for n, (busy, idle) in enumerate(cores)]
    return "\n".join([*lines, "ctxt 1", f"procs_running {running}", "procs_blocked 0", ""])


def test_cores() -> None:
    """The share of busy time is told for all cores, for each, and for the busiest."""
    found = over_a_second(counters.PROCESSORS, stat((0, 0), (5, 5)), stat((90, 10), (5, 105)))
    assert found["busy_share"] == (0.45,)
    assert found["core.0.busy_share"] == (0.9,)
    assert found["core.1.busy_share"] == (0.0,)
    assert found["busiest_core_share"] == (0.9,)
    assert found["runnable_count"] == (2,)
    assert found["waiting_count"] == (0,)


def test_threads_without_a_processor() -> None:
    """Of the threads that could run, those beyond the number of cores wait for one."""
    texts = [stat((0, 0), (0, 0), running=9), stat((9, 0), (9, 0), running=8)]
    found = over_a_second(counters.PROCESSORS, *texts)
    assert (found["runnable_count"], found["waiting_count"]) == ((7,), (5,))


def test_kinds_of_cpu_time() -> None:
    """Waiting for storage is not busy; time stolen, in the kernel and in its interrupts is."""
    before, after = "cpu 0 0 0 0 0 0 0 0\n", "cpu 10 0 20 30 15 0 5 20 7 7\n"
    found = over_a_second(counters.PROCESSORS, before, after)
    assert found["busy_share"] == (0.55,)
    assert found["iowait_share"] == (0.15,)
    assert found["steal_share"] == (0.2,)
    assert found["system_share"] == (0.2,)
    assert found["softirq_share"] == (0.05,)


def test_core_that_goes_offline() -> None:
    """A core that is not there at both ends of an interval has no value for it."""
    both, one = stat((0, 0), (0, 0)), stat((50, 50))
    again = stat((100, 100), (30, 70)), stat((150, 150), (130, 70))
    found = over_a_second(counters.PROCESSORS, both, one, *again)
    assert found["core.0.busy_share"] == (0.5, 0.5, 0.5)
    assert found["core.1.busy_share"] == (None, None, 1)
    assert found["busiest_core_share"] == (0.5, 0.5, 1)


@pytest.mark.parametrize("cores", [32, 33])
def test_many_cores(cores: int) -> None:
    """Of more than 32 cores only the busiest is told, so that a record stays small."""
    after = [(10, 90)] * (cores - 1) + [(70, 30)]
    found = over_a_second(counters.PROCESSORS, stat(*[(0, 0)] * cores), stat(*after))
    assert found["busiest_core_share"] == (0.7,)
    assert sum(name.startswith("core.") for name in found) == (32 if cores == 32 else 0)


def test_reset_counter() -> None:
    """A counter that runs backwards leaves its own interval out, and no other."""
    texts = [f"{n} 0 {n * 8} 0 0 0 0 0 0 {n} {n}" for n in (100, 200, 50, 60)]
    found = over_a_second(counters.DEVICE, *texts)
    assert found["reads_rate"] == (100, None, 10)
    assert found["read_bytes_rate"] == (800 * 512, None, 80 * 512)
    assert found["utilisation_share"] == (0.1, None, 0.01)


def test_device() -> None:
    """Sectors are 512 bytes; a device is busy for milliseconds, and its queue has a mean."""
    found = over_a_second(counters.DEVICE, "0 " * 17, "10 0 80 5 20 0 160 5 3 500 4000 0 0 0 0 0 0")
    assert found == {
        "read_bytes_rate": (80 * 512,),
        "written_bytes_rate": (160 * 512,),
        "reads_rate": (10,),
        "writes_rate": (20,),
        "utilisation_share": (0.5,),
        "queue_count": (4,),
    }


def test_memory() -> None:
    """What there is of memory is told as of the end of the interval, in bytes."""
    text = "MemTotal: 9 kB\nMemAvailable: {} kB\nDirty: 3 kB\nWriteback: x kB\nCached: 4\n"
    found = over_a_second(counters.MEMORY, text.format(5), text.format(7))
    assert found == {"available_bytes": (7168,), "dirty_bytes": (3072,)}


def test_paging() -> None:
    """Pages in and out, and pages that those freed who needed them, are bytes a second."""
    page = os.sysconf("SC_PAGE_SIZE")
    found = over_a_second(counters.PAGING, "pswpin 1\npswpout 2", "pswpin 4\npswpout 6\n")
    assert found == {"swap_bytes_rate": (7 * page,)}
    assert over_a_second(counters.PAGING, "pswpin x\npswpout 2", "pswpin 4") == {}
    found = over_a_second(counters.PAGING, "pgsteal_direct 5", "pgsteal_direct 8")
    assert found == {"reclaimed_bytes_rate": (3 * page,)}


def test_pressure() -> None:
    """Stalls are shares of the time, of the kernel's own total in microseconds."""
    text = "some avg10=9.00 avg60=9.00 avg300=9.00 total={}\nfull avg10=0 total={}\n"
    found = over_a_second(counters.PRESSURE, text.format(0, 7), text.format(250_000, 7))
    assert found == {"some_share": (0.25,), "full_share": (0,)}


CARDS = """Inter-|   Receive                            |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop
    lo: {0} 1 0 0 0 0 0 0 {0} 1 0 0 0 0 0 0
  ib0: {1} {0} {2} 1 0 0 0 0 7 {0} {2} {2} 0 0 0 0
  down0: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
"""


def test_cards() -> None:
    """Every interface that ever carried a byte is told, lo only where the server is there."""
    texts = CARDS.format(10, 1, 0), CARDS.format(30, 3001, 2)
    found = over_a_second(counters.CARDS, *texts)
    assert found == {
        "ib0.received_bytes_rate": (3000,),
        "ib0.sent_bytes_rate": (0,),
        "ib0.packets_rate": (40,),
        "ib0.errors_rate": (4,),
        "ib0.drops_rate": (2,),
    }
    assert over_a_second(counters.CARDS_AND_LOOPBACK, *texts)["lo.sent_bytes_rate"] == (20,)


def test_many_cards() -> None:
    """Of many interfaces those that moved most are told."""
    line = "  veth{}: {} 0 0 0 0 0 0 0 1 0 0 0 0 0 0 0\n"
    texts = ["".join(line.format(n, n * time) for n in range(40)) for time in (0, 1)]
    found = over_a_second(counters.CARDS, *texts)
    assert {name.partition(".")[0] for name in found} == {f"veth{n}" for n in range(24, 40)}


def test_retransmits() -> None:
    """TCP's retransmissions, and what was sent besides, are found by the names of their columns."""
    text = "Ip: A\nIp: 1\nTcp: MaxConn OutSegs RetransSegs InErrs\nTcp: -1 {} {} 0\nUdp: A\n"
    found = over_a_second(counters.TCP, text.format(100, 4), text.format(300, 9))
    assert found == {"retransmits_rate": (5,), "segments_rate": (200,)}
    assert over_a_second(counters.TCP, "Tcp: A\nTcp: 1", "Tcp: A\nTcp: 2") == {}


NFS = """device nas:/data mounted on /mnt/nas with fstype nfs4 statvers=1.1
\tevents:\t1 2 3 4 5 6 7 8 9 10
\tbytes:\t1 2 3 4 5 6 7 8
\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)
\txprt:\ttcp 0 1 1 0 0 {sends} 9 0 5 {backlog} 16 0 0
\txprt:\ttcp 0 1 1 0 0 {sends} 9 0 5 {backlog} 16 0 0
\tper-op statistics
\t        NULL: 1 1 0 44 24 0 0 0 0
\t        READ: {reads} {sent} 0 1 1 7 {trip} {total} 0
"""


def test_nfs() -> None:
    """Operations have a rate and a mean time; those that did not occur are left out."""
    texts = [
        NFS.format(sends=n * 100, backlog=n * 150, reads=r, sent=r + n, trip=3 * r, total=4 * r)
        for n, r in ((1, 10), (2, 210), (3, 210))
    ]
    assert over_a_second(counters.NFS, *texts) == {
        "backlog_count": (1.5, 1.5),
        "READ.operations_rate": (200, 0),
        "READ.round_trip_seconds": (0.003, None),
        "READ.execute_seconds": (0.004, None),
        "retransmissions_rate": (1, 1),
    }


def test_nfs_without_transport() -> None:
    """A transport that does not tell its backlog (or has another form) leaves the rest."""
    texts = [
        NFS.format(sends="-1", backlog=0, reads=r, sent=r, trip=r, total=r) for r in (100, 300)
    ]
    found = over_a_second(counters.NFS, *texts)
    assert found["READ.operations_rate"] == (200,)
    assert "backlog_count" not in found


def test_nothing_to_tell() -> None:
    """A file that is empty, or is there only once, has no series."""
    for kind in KINDS.values():
        assert over_a_second(kind, "", "") == {}
    assert over_a_second(counters.DEVICE, "", "1 " * 11) == {}


WORDS = """cpu cpu0 cpu7 procs_running MemAvailable: Dirty: kB pswpin pswpout some full total=5
total= eth0: lo: Tcp: RetransSegs xprt: tcp udp per-op READ: NULL: : -1 0 7 nan inf 1e9 ² device
99999999999999999999 999999999999999999999999"""
TEXTS = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([*WORDS.split(), "\n", "\0"]), max_size=60).map(
        lambda words: " ".join(words).encode()
    ),
    st.lists(st.integers(0, 10**20 - 1), min_size=8, max_size=17).map(
        lambda numbers: ("cpu: " + " ".join(map(str, numbers))).encode()
    ),
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, min_size=2, max_size=4), step=st.integers(0, 10**12))
def test_any_bytes(kind: Kind, texts: list[bytes], step: int) -> None:
    """Whatever a file says, nothing raises, and every value is a finite number or none."""
    times = [step * number for number in range(len(texts))]
    for name, values in series(kind, texts, times).items():
        assert len(values) == len(texts) - 1
        for value in values:
            assert value is None or math.isfinite(value)
            assert not name.endswith("_share") or value is None or 0 <= value <= 1
