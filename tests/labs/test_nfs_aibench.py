"""The main job on real NFS: what aibench does and says there, against the kernel's own counters."""

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aibench.model import READS, CacheState, Measurement, NfsFigures, RunRecord, Sample
from aibench.store import read
from tests.labs import nfs
from tests.labs.tools import requires_strace

SESSION = Path(__file__).with_name("nfs_session.py")
pytestmark = [pytest.mark.mounts, pytest.mark.slow(10), pytest.mark.machine]


class Session:
    """What a session of ``nfs_session.py`` in the lab found, and the records that it left here."""

    def __init__(self, results: Path, name: str, **options: Any) -> None:
        self.results = results
        self.version = options.get("version", "4.2")
        done = nfs.inside(sys.executable, SESSION, results, name, **{"timeout": 250, **options})
        assert done.code == 0, done.err
        self.found = [json.loads(line) for line in done.out.splitlines()]

    def __getitem__(self, name: str) -> Any:
        return self.found[0][name]

    def record(self, name: str) -> RunRecord:
        """The record of the run of that name."""
        (path,) = (self.results / name).glob("*.jsonl")
        return read(path)

    def samples(self, name: str) -> list[Sample]:
        """The samples of the run of that name that read files' bytes."""
        record = self.record(name)
        reading = {
            (stage.workload, phase.name)
            for stage in record.plan.stages
            for phase in stage.measured
            if phase.operation in READS
        }
        return [s for s in record.samples if (s.workload, s.phase) in reading]


#: Server, and what the machines are asked for, by the session of ``nfs_session.py`` and a name.
SESSIONS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("whole", "3"): ("knfsd", {"version": "3"}),
    ("whole", "4.2"): ("knfsd", {"version": "4.2"}),
    ("hang", "3"): ("ganesha", {"version": "3"}),
    ("removed", "3"): ("knfsd", {"version": "3", "options": "actimeo=3"}),
    ("removed", "4.2"): ("knfsd", {"version": "4.2", "options": "actimeo=3"}),
    ("late", "3"): ("ganesha", {"version": "3", "clients": 2}),
    ("clients", "4.2"): ("ganesha", {"version": "4.2", "clients": 2}),
}
Begun = Callable[[str, str], Session]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """Gives sessions by name. All are begun at once, two at a time: a machine has one processor."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {}
        for (name, version), (server, options) in SESSIONS.items():
            if not nfs.missing(server):
                results = tmp_path_factory.mktemp(f"{name}-{version}")
                running[name, version] = pool.submit(
                    Session, results, name, server=server, **options
                )

        def session(name: str, version: str) -> Session:
            if lacking := nfs.missing(SESSIONS[name, version][0]):
                pytest.skip(lacking)
            return running[name, version].result()

        yield session
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module", params=["3", "4.2"])
def session(request: pytest.FixtureRequest, begun: Begun) -> Session:
    """Every command in turn on a mount of this version."""
    return begun("whole", request.param)


def test_target(session: Session) -> None:
    """The target of a run on NFS names type, server, export and version, and no device."""
    target = session.record("again").target
    four = session.version != "3"
    assert target.fstype == ("nfs4" if four else "nfs")
    assert target.source == ("127.0.0.1:/" if four else "127.0.0.1:/mnt/export")
    assert (target.server, target.device, target.mount_point) == ("127.0.0.1", None, "/mnt/nfs")
    assert f"vers={session.version}" in target.options
    assert target.is_network
    assert target.total_bytes is not None
    assert target.total_bytes > 2**30


def test_cold_agrees_with_own_count(session: Session) -> None:
    """Each cold epoch delivered the bytes of its files, by aibench's count and by the mount's."""
    samples = session.samples("again")
    assert session["data"]["files"] == 60
    assert [s.evidence.state for s in samples if s.evidence] == [CacheState.COLD] * 2
    delivered = [s.evidence.delivered_bytes for s in samples if s.evidence]
    assert delivered == pytest.approx([session["data"]["bytes"]] * 2, rel=0.02)
    assert sum(filter(None, delivered)) == pytest.approx(session["counted"]["read"], rel=0.02)
    for sample in samples:
        assert sample.evidence is not None
        assert sample.evidence.delivered_source == "NFS mount /mnt/nfs"
        assert "the server's own cache is out of sight" in sample.evidence.reason


def test_warm_is_warm(session: Session) -> None:
    """A warm epoch on NFS finds its bytes in this client's memory, and the record says so."""
    (sample,) = session.samples("warm")
    assert sample.evidence is not None
    assert sample.evidence.state is CacheState.WARM, sample.evidence.reason
    assert sample.evidence.delivered_bytes == 0


def test_all_kinds(session: Session) -> None:
    """A run of each kind on NFS measures each phase and finds no reason against it."""
    for name in ("traced", "others"):
        if name not in session.found[0]:
            continue  # no strace
        assert session[name]["code"] == 0, session[name]["err"]
        record = session.record(name)
        assert record.complete
        assert record.reasons == ()
        assert all(stage.refusal is None for stage in record.plan.stages)
        assert all(sample.reasons == () for sample in record.samples)
        states = {s.evidence.state for s in session.samples(name) if s.evidence}
        assert states <= {CacheState.COLD, CacheState.UNKNOWN}


def test_direct(session: Session) -> None:
    """Files of odd sizes are read past the page cache, and the bytes come from the server."""
    assert session["direct"]["code"] == 0, session["direct"]["err"]
    (sample,) = session.samples("direct")
    assert sample.evidence is not None
    assert sample.evidence.state is CacheState.COLD, sample.evidence.reason
    assert sample.evidence.delivered_bytes == pytest.approx(session["data"]["bytes"], rel=0.02)


def test_doctor(session: Session) -> None:
    """Doctor finds an NFS mount fit, and says that counters and O_DIRECT work there."""
    assert session["doctor"]["code"] == 0
    lines = session["doctor"]["out"].splitlines()
    assert "ok       cache evidence: counted by NFS mount /mnt/nfs" in lines
    assert "ok       O_DIRECT: works" in lines


def test_verify_and_clean(session: Session) -> None:
    """Data on NFS is verified byte for byte, and 'clean' removes all of it, its lock included.

    What somebody has open stays under another name meanwhile, and is said to.
    """
    assert session["verify"]["code"] == 0, session["verify"]["err"]
    assert session["busy"]["code"] == 1
    assert "a file in it is still open" in session["busy"]["err"]
    assert "every byte as written" in session["verify"]["out"]
    assert session["clean"]["code"] == 0, session["clean"]["err"]
    assert session["left"] == []


def only(session: Session, name: str) -> Sample:
    """The one sample of a run that has to succeed."""
    assert session[name]["code"] == 0, session[name]["err"]
    (sample,) = session.record(name).samples
    return sample


def counted(session: Session, kind: str) -> tuple[Measurement, NfsFigures, Any]:
    """What the traced run says of its one sample of a kind: measured, of the mount; and the server.

    The server counted for loading and saving together.
    """
    found = session["traced"]
    assert found["code"] == 0, found["err"]
    (sample,) = (s for s in session.record("traced").samples if s.workload == kind)
    assert sample.nfs is not None
    return sample.measurement, sample.nfs, found["server"]


def done(figures: NfsFigures, name: str) -> int:
    """How many operations of a type aibench says there were; reads of holes are reads."""
    names = (name, "READ_PLUS") if name == "READ" else (name,)
    found = [figures.operation(each) for each in names]
    return sum(each.operations for each in found if each is not None)


#: Around a phase aibench reads and writes some small files of its own: at most so many requests.
ASIDE = 12


@requires_strace
def test_loading_agrees_with_server_and_system_calls(session: Session) -> None:
    """Files, opens and bytes are those of strace; READs, bytes and OPENs those of the server."""
    measured, figures, server = counted(session, "load-imagenet")
    client = session["traced"]["readers"]
    assert client["openat"] == measured.operations == measured.histograms["open"].count == 60
    assert client["bytes"] == measured.bytes == figures.asked_bytes[0]
    reads = server["READ"] + server.get("READ_PLUS", 0)
    assert done(figures, "READ") <= reads <= done(figures, "READ") + ASIDE
    assert measured.bytes <= figures.served_bytes[0] <= server["read_bytes"]
    assert server["read_bytes"] == pytest.approx(measured.bytes, rel=0.02)
    assert done(figures, "GETATTR") <= server["GETATTR"]
    if session.version == "4.2":
        assert measured.operations <= done(figures, "OPEN") <= server["OPEN"]
    else:
        assert done(figures, "OPEN") == 0


@requires_strace
def test_saving_agrees_with_server_and_system_calls(session: Session) -> None:
    """Written bytes are those of strace and the server; so are WRITEs and what makes them last."""
    measured, figures, server = counted(session, "checkpoint-save")
    client = session["traced"]["writers"]
    assert client["bytes"] == measured.bytes == figures.asked_bytes[1] == figures.served_bytes[1]
    assert client["fsync"] == measured.histograms["fsync"].count
    assert done(figures, "WRITE") <= server["WRITE"] <= done(figures, "WRITE") + ASIDE
    assert done(figures, "COMMIT") <= server["COMMIT"] <= done(figures, "COMMIT") + ASIDE
    assert server["written_bytes"] == pytest.approx(measured.bytes, rel=0.01)


@pytest.fixture(scope="module")
def hung(begun: Begun) -> Session:
    """A run whose server stopped answering in the middle, for ten times its patience."""
    return begun("hang", "3")


def test_server_hangs(hung: Session) -> None:
    """A run whose server stopped answering for too long fails, and its record says why."""
    assert hung["code"] == 4, hung["err"]
    (reason,) = hung.record("hang").reasons
    assert "the target hangs" in reason.message


def test_hang_is_said_meanwhile(hung: Session) -> None:
    """A run whose server stopped answering says so after its patience, while it still hangs."""
    assert hung["said"], hung["err"]


@pytest.mark.parametrize("version", ["3", "4.2"])
def test_removed_on_the_server(begun: Begun, version: str) -> None:
    """A run whose data vanishes on the server fails and says so; the next one makes it anew."""
    found = begun("removed", version)
    assert found["code"] == 4, found["err"]
    (reason,) = found.record("removed").reasons
    assert reason.code in ("vanished", "stale"), reason
    assert found["again"]["code"] == 0, found["again"]["err"]


def test_two_clients(begun: Begun) -> None:
    """A run on a directory where another client's run is under way is refused and names it."""
    (refused,) = (each["refused"] for each in begun("clients", "4.2").found if "refused" in each)
    assert refused["code"] == 2, refused["err"]
    assert "is in use by another run (pid " in refused["err"]
    assert " on aibench-lab-0)" in refused["err"]


def test_local_locks_are_named(begun: Begun) -> None:
    """Where locks stay within a client (nolock), the record says that other runs aren't seen."""
    record = begun("hang", "3").record("hang")
    assert "not_locked" in [warning.code for warning in record.warnings]


@pytest.mark.parametrize(("name", "version"), [("late", "3"), ("clients", "4.2")])
def test_names_that_appear_and_go(begun: Begun, name: str, version: str) -> None:
    """What another client made or removed meanwhile is met, whatever this kernel remembers."""
    ended = {name: done for found in begun(name, version).found for name, done in found.items()}
    assert "no data" in ended["absent"]["out"] + ended["absent"]["err"]
    for command in ("absent", "second", "clean", "first", "again"):
        assert ended[command]["code"] == 0, ended
