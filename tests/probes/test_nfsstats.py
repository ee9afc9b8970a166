"""What an NFS mount did is read from the kernel's counters, and never guessed."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.model import CachePolicy, NfsFigures, NfsOperation, Operation, Sizes
from aibench.probes import nfsstats
from aibench.probes.nfsstats import NfsCounters
from tests import build

MS = 10**6
MIB = 2**20
TCP = "\txprt:\ttcp 0 1 2 0 11 {sends} {answers} 0 {flight} {backlog} 64 {backlog} 0\n"
RDMA = "\txprt:\trdma 0 1 1 0 5 200 199 0 500 50 7 8 9 4096 8192 0 0 0 0 0 0 0 0\n"
UDP = "\txprt:\tudp 903 1 200 199 0 500 50 16 0 0\n"
LOCAL = "\txprt:\tlocal 1 1 0 5 200 199 0 500 50 64 0 0\n"


def section(
    point: str = "/mnt/nfs",
    fstype: str = "nfs4",
    version: str = "1.1",
    age: int = 100,
    data: str = "1000 2000 300 400 1500 2600 4 5",
    transports: str = TCP.format(sends=200, answers=199, flight=500, backlog=50),
    operations: str = "\t        READ: 10 12 1 2000 1000000 30 500 540 0\n",
) -> str:
    """One mount as the kernel lists it."""
    return (
        f"device nas:/on mounted on {point} with fstype {fstype} statvers={version}\n"
        "\topts:\trw,vers=4.2,rsize=1048576,proto=tcp,nconnect=2,hard\n"
        f"\tage:\t{age}\n"
        "\tcaps:\tcaps=0x3ffbffff,wtmult=512,dtsize=32768,bsize=0,namlen=255\n"
        "\tsec:\tflavor=1,pseudoflavor=1\n"
        "\tevents:\t1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27\n"
        f"\tbytes:\t{data}\n"
        f"\tRPC iostats version: {version}  p/v: 100003/4 (nfs)\n"
        f"{transports}"
        "\tper-op statistics\n"
        f"{operations}\n"
    )


OTHER = "device /dev/sda1 mounted on / with fstype ext4\n"


def counters(**changes: Any) -> NfsCounters:
    """The counters of one listed mount."""
    found = nfsstats.parse(OTHER + section(**changes) + OTHER, changes.get("point", "/mnt/nfs"))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("fstype", "version", "names"),
    [
        ("nfs", "1.0", ("NULL", "GETATTR", "READDIRPLUS", "COMMIT")),
        ("nfs4", "1.0", ("NULL", "SETCLIENTID", "OPEN_CONFIRM", "LOCKT")),
        ("nfs4", "1.1", ("NULL", "EXCHANGE_ID", "READ_PLUS", "OFFLOAD_CANCEL")),
    ],
    ids=["3", "4.0", "4.2"],
)
def test_every_operation(fstype: str, version: str, names: tuple[str, ...]) -> None:
    """All operations are read, in each version of NFS and of the statistics."""
    numbers = "1 2 0 44 24 3 4 8" + " 1" * (version == "1.1")
    lines = "".join(f"\t{name:>12}: {numbers}\n" for name in names)
    found = counters(fstype=fstype, version=version, operations=lines)
    assert tuple(found.operations) == names
    assert found.operations["NULL"] == tuple(map(int, numbers.split()))
    assert (found.age_s, found.data_bytes) == (100, (1000, 2000, 300, 400, 1500, 2600, 4, 5))


@pytest.mark.parametrize("line", [TCP, RDMA, UDP, LOCAL], ids=["tcp", "rdma", "udp", "local"])
def test_transport(line: str) -> None:
    """Requests, answers and the backlog are found on each kind of transport."""
    line = line.format(sends=200, answers=199, flight=500, backlog=50)
    found = counters(transports=line).transport
    assert found == nfsstats.Transport(
        connections=1, requests=200, answers=199, in_flight=500, backlog=50
    )


def test_several_connections() -> None:
    """The connections of nconnect count together."""
    line = TCP.format(sends=200, answers=199, flight=500, backlog=50)
    found = counters(transports=line * 4).transport
    assert found is not None
    assert (found.connections, found.requests, found.backlog) == (4, 800, 200)


def test_escaped_mount_point(tmp_path: Path) -> None:
    """A mount point with spaces, or with bytes that are no text, is found by its real name."""
    (tmp_path / "proc/self").mkdir(parents=True)
    listed = section(point="/mnt/my\\040nas") + section(point="/mnt/odd", age=7)
    content = listed.encode().replace(b"/odd", b"/\xff\xc3")
    (tmp_path / "proc/self/mountstats").write_bytes(content)
    assert nfsstats.snapshot("/mnt/my nas", str(tmp_path)) == counters()
    assert nfsstats.snapshot("/mnt/\udcff\udcc3", str(tmp_path)) == counters(age=7)
    assert nfsstats.snapshot("/mnt/my", str(tmp_path)) is None
    assert nfsstats.snapshot("/mnt/my nas", str(tmp_path / "nowhere")) is None


def test_mounts_over_each_other() -> None:
    """Of several mounts at one point the last counts, also where it is no NFS."""
    twice = section(age=1) + OTHER + section(age=2)
    found = nfsstats.parse(twice, "/mnt/nfs")
    assert found is not None
    assert found.age_s == 2
    for above in ("device tmpfs", "no device"):
        hidden = twice + f"{above} mounted on /mnt/nfs with fstype tmpfs\n"
        assert nfsstats.parse(hidden, "/mnt/nfs") is None


def test_broken_lines_are_left_out() -> None:
    """A line that is not as the kernel writes it gives no figure; without bytes there are none."""
    odd = "\tREAD: 1 2 x 4 5 6 7 8 9\n\tWRITE: 1 2 3\n\tOPEN: -1 2 3 4 5 6 7 8 9\n\tACCESS 1\n"
    found = counters(operations=odd, transports="\txprt:\ttcp 0 1\n\txprt:\n\txprt:\tdove 1 2\n")
    assert (dict(found.operations), found.transport) == ({}, None)
    assert nfsstats.parse(section(data="1 2 3"), "/mnt/nfs") is None
    assert nfsstats.parse(section(data=f"1 2 3 4 5 6 7 {'9' * 5000}"), "/mnt/nfs") is None
    assert nfsstats.parse(section(data="1 2 3 4 5 6 7 ²"), "/mnt/nfs") is None


@given(st.text(), st.text(max_size=5))
def test_any_text(content: str, point: str) -> None:
    """No text makes the parser fail, and text that lists no mount gives nothing."""
    assert nfsstats.parse(content, point) is None


WORDS = st.sampled_from(
    (
        "bytes:",
        "xprt:",
        "tcp",
        "rdma",
        "READ:",
        "age:",
        "1",
        "-7",
        "99999999999999999999",
        "x",
        "\n",
    )
)


@given(st.lists(WORDS, max_size=60), st.lists(WORDS, max_size=60))
def test_any_lines_of_a_mount(first: list[str], second: list[str]) -> None:
    """Whatever stands below a mount's first line, reading and subtracting never fail."""
    head = "device nas:/x mounted on /mnt/nfs with fstype nfs4 statvers=1.1\n"
    before, after = (
        nfsstats.parse(head + " ".join(words), "/mnt/nfs") for words in (first, second)
    )
    found = nfsstats.between(before, after)
    assert found is None or min(found.served_bytes) >= 0


def test_between() -> None:
    """Differences are those made by hand: bytes, times in ns, and the mean backlog."""
    before = counters(
        operations="\tREAD: 10 12 1 2000 1000000 30 500 540 0\n\tGETATTR: 5 5 0 1 1 1 1 1 0\n"
    )
    after = counters(
        age=130,
        data="6000 2100 1300 500 7500 2900 8 9",
        transports=TCP.format(sends=240, answers=239, flight=900, backlog=70),
        operations=(
            "\tREAD: 30 34 2 6000 3500000 130 1500 1700 3\n"
            "\tGETATTR: 5 5 0 1 1 1 1 1 0\n"
            "\tOPEN: 2 2 0 500 700 0 11 12 0\n"
        ),
    )
    assert nfsstats.between(before, after) == NfsFigures(
        operations=(
            NfsOperation(
                name="READ", operations=20, transmissions=22, timeouts=1, sent_bytes=4000,
                received_bytes=2_500_000, queue_ns=100 * MS, round_trip_ns=1000 * MS,
                execute_ns=1160 * MS, errors=3,
            ),
            NfsOperation(
                name="OPEN", operations=2, transmissions=2, timeouts=0, sent_bytes=500,
                received_bytes=700, queue_ns=0, round_trip_ns=11 * MS, execute_ns=12 * MS,
                errors=0,
            ),
        ),
        asked_bytes=(6000, 200),
        direct_bytes=(1000, 100),
        served_bytes=(6000, 300),
        backlog_mean=0.5,
    )  # fmt: skip


def test_identity() -> None:
    """Between a moment and itself nothing happened."""
    now = counters()
    assert nfsstats.between(now, now) == NfsFigures(backlog_mean=None)


@pytest.mark.parametrize(
    "changes",
    [
        {"age": 99},
        {"data": "1000 2000 300 400 1499 2600 4 5"},
        {"operations": "\tREAD: 9 12 1 2000 1000000 30 500 540 0\n"},
        {"operations": ""},
    ],
    ids=["younger", "bytes", "operations", "gone"],
)
def test_mounted_anew(changes: dict[str, Any]) -> None:
    """Where a counter ran backwards there are no figures, and none where a moment is missing."""
    assert nfsstats.between(counters(), counters(**changes)) is None
    assert nfsstats.between(None, counters()) is None
    assert nfsstats.between(counters(), None) is None


def test_errors_are_missing_in_old_statistics() -> None:
    """Kernels with statvers=1.0 don't count errors: they are missing, not 0."""
    operations = "\tREAD: {0} {0} 0 1 1 1 1 1\n"
    before = counters(version="1.0", operations=operations.format(1))
    found = nfsstats.between(before, counters(version="1.0", operations=operations.format(3)))
    assert found is not None
    assert [(each.operations, each.errors) for each in found.operations] == [(2, None)]


def test_backlog_without_the_same_connections() -> None:
    """Where connections came or went meanwhile, the backlog is missing and the rest is not."""
    line = TCP.format(sends=900, answers=900, flight=900, backlog=900)
    found = nfsstats.between(counters(), counters(transports=line * 2))
    assert found is not None
    assert found.backlog_mean is None
    assert found.asked_bytes == (0, 0)


LARGE = build.population(sizes=Sizes(distribution="fixed", mean=8 * MIB))


@pytest.mark.parametrize(
    ("options", "changes", "expected"),
    [
        ("rsize=1048576", {}, "rsize=1048576: a file of 4.10 kB, the mean here, takes at least 1"),
        ("rsize=65536", {"population": LARGE}, "takes at least 128 READs of up to 64.0 KiB"),
        (
            "wsize=1048576",
            {"operation": Operation.WRITE_BLOCKS, "io_size": 4 * MIB},
            "wsize=1048576: a block of 4.00 MiB takes at least 4 WRITEs of up to 1.00 MiB",
        ),
        ("nconnect=4", {"processes": 16}, "nconnect=4: up to 16 operations at once share 4 conn"),
        ("proto=tcp", {"processes": 16}, "no nconnect: up to 16 operations at once share 1 conn"),
        ("vers=4.1,nconnect=8", {"processes": 80}, "64 requests under way at most"),
        ("vers=4.0", {}, "vers=4.0: each open and each close of a file is a request, up to 200 "),
        ("noac", {}, "noac: attributes are never kept: at least one GETATTR for each of 100 files"),
        ("actimeo=0", {"operation": Operation.STAT}, "actimeo=0: attributes are never kept"),
        ("acregmin=1", {}, "acregmin=1, acregmax=60, acdirmin=30, acdirmax=60: attributes"),
        ("vers=3", {"operation": Operation.STAT}, "acregmin=3, acregmax=60"),
        ("actimeo=5", {}, "believed for 5 s to 5 s"),
        (
            "sync",
            {"operation": Operation.WRITE_FILES, "population": LARGE},
            "sync: each write of up to 1.00 MiB waits until the server has it on stable storage, 8",
        ),
        ("noac", {"operation": Operation.SAVE_SHARDS}, "noac: each write of up to 1.00 MiB"),
        ("nocto", {}, "up to 100 GETATTRs less"),
        ("lookupcache=none", {}, "lookupcache=none: names are never kept: at least 100 LOOKUPs"),
        ("lookupcache=pos", {"operation": Operation.CREATE}, "each of 100 new names is asked for"),
        ("hard,timeo=600", {}, "hard, timeo=600: a request without an answer is sent again after"),
        ("soft,timeo=100,retrans=2", {}, "an operation fails after 30.0 s unanswered"),
        ("soft,proto=udp,timeo=10,retrans=3", {}, "an operation fails after 8.00 s unanswered"),
        ("proto=udp,rsize=32768,timeo=11", {}, "a request of 32.0 KiB is 23 packets; if one"),
        ("proto=rdma", {}, "proto=rdma: data passes TCP by: 0 bytes of it show in the network"),
        ("local_lock=all", {}, "local_lock=all: locks take 0 requests"),
        ("nolock", {}, "nolock: locks take 0 requests"),
    ],
)
def test_meaning(options: str, changes: dict[str, Any], expected: str) -> None:
    """Each option that matters is told with the figures of the phase."""
    told = nfsstats.meaning(options.split(","), build.phase(**changes))
    assert any(expected in sentence for sentence in told), told
    pairs = dict(option.partition("=")[::2] for option in options.split(","))
    assert nfsstats.meaning(pairs, build.phase(**changes)) == told


def test_meaning_of_what_does_not_matter() -> None:
    """Options that change nothing for the phase are not told."""
    phase = build.phase(operation=Operation.RENAME, processes=1, cache=CachePolicy.AS_FOUND)
    options = ("rw", "relatime", "vers=4.2", "rsize=1048576", "wsize=1048576", "sync", "proto=tcp",
               "sec=sys", "local_lock=none", "lookupcache=pos", "noac", "rsize=junk")  # fmt: skip
    assert nfsstats.meaning(options, phase) == ()
