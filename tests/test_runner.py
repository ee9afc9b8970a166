"""The runner does a plan in order, prepares what is missing, and leaves no scratch behind."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from aibench.capacity import candidates, capacity, judged, levels_at_most
from aibench.ceilings import ROUGH_NS
from aibench.crew import Member
from aibench.engine import Report, Site
from aibench.engines.null import NullEngine, Pace
from aibench.engines.posix import PosixEngine
from aibench.errors import Interrupted, TargetFailed, WorkerFailed, WorkspaceError
from aibench.model import (
    Accelerators,
    CachePolicy,
    Environment,
    Measurement,
    Operation,
    Phase,
    Plan,
    Population,
    Sample,
    Sizes,
    SyncPolicy,
    WorkerResult,
)
from aibench.probes import mounts
from aibench.remarks import reasons, warnings
from aibench.runner import Runner, Step
from aibench.training import stalled
from aibench.workspace import Workspace, dataset
from aibench.workspace.root import make
from aibench.world import Alone
from tests import build

SECOND = 10**9
DATA = build.population(files=60)
SCRATCH = build.population(
    directory="scratch/save",
    files=2,
    persistent=False,
    sizes=Sizes(distribution="fixed", mean=8192),
)


def layout(population: Population = DATA) -> Phase:
    """The phase that writes the data set."""
    return build.phase(
        name="layout", operation=Operation.WRITE_FILES, population=population, measured=False
    )


def save(**changes: Any) -> Phase:
    """A checkpoint of two shards."""
    parts: dict[str, Any] = {
        "name": "save", "operation": Operation.SAVE_SHARDS, "population": SCRATCH,
        "sync": SyncPolicy.COMMIT, "cache": CachePolicy.AS_FOUND,
    }  # fmt: skip
    return build.phase(**parts | changes)


def plan(*phases: Phase, **changes: Any) -> Plan:
    """One stage of ``phases``, twice."""
    return build.plan(build.stage(phases=phases, **{"repeats": 2} | changes))


class Stage:
    """A runner on a real directory, and all that it told."""

    def __init__(self, directory: Path, engine: Any = None) -> None:
        self.workspace: Workspace = make(str(directory))
        self.steps: list[Step] = []
        member = Member(
            world=Alone("here"),
            workspace=self.workspace,
            target=mounts.describe(str(directory)),
            engines={"posix": engine or PosixEngine()},
            patience_ns=30 * 10**9,
            allow_drop=False,
        )
        self.runner = Runner(member=member, environment=Environment(), listen=self.hear)

    def hear(self, step: Step, operations: int, moved: int) -> None:
        """Note each step once."""
        if not self.steps or self.steps[-1] is not step:
            self.steps.append(step)

    @property
    def told(self) -> list[str]:
        """Purpose, phase and repeat of each step; a second look at a ceiling is left out."""
        return [
            f"{s.purpose} {s.phase} {s.repeat}"
            for s in self.steps
            if s.purpose != "calibrate" or s.total_ns == ROUGH_NS
        ]

    @property
    def scratch(self) -> Path:
        """Where scratch files would be."""
        return Path(self.workspace.path("scratch"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A runner with the default engine."""
    return Stage(tmp_path)


def test_order(stage: Stage) -> None:
    """Data is prepared; all is measured repeat by repeat, each phase calibrated once before."""
    samples = list(stage.runner.run(plan(layout(), build.phase(population=DATA), save())))
    assert [(s.phase, s.repeat) for s in samples] == [
        ("read", 0), ("save", 0), ("read", 1), ("save", 1),
    ]  # fmt: skip
    assert stage.told == [
        "prepare layout 0", "calibrate read 0", "measure read 0",
        "calibrate save 0", "measure save 0", "measure read 1", "measure save 1",
    ]  # fmt: skip
    assert all(s.ceiling for s in samples)
    assert [s.evidence is not None for s in samples] == [True, False, True, False]
    assert not stage.scratch.exists()
    assert dataset.state(stage.workspace, DATA).complete


def test_a_harness_that_holds_accelerators_up_says_so(stage: Stage) -> None:
    """Accelerators that no loader could feed are tried without I/O, and the sample tells."""
    asked = Accelerators(count=2, loaders=1, compute_ns=1000)
    phase = build.phase(population=DATA, reader="stat", accelerators=asked)
    (sample, *_) = stage.runner.run(plan(layout(), phase))
    assert sample.ceiling is not None
    assert sample.ceiling.training is not None
    assert (stalled(sample.ceiling.training) or 0) > 0.5
    assert "client_bound" in [warning.code for warning in sample.warnings]
    assert sample.measurement.training is not None
    assert [one.steps for one in sample.measurement.training.accelerators] == [30, 30]


def test_prepared_once(stage: Stage) -> None:
    """A data set that is complete is not written again."""
    asked = plan(layout(), build.phase(population=DATA))
    list(stage.runner.run(asked))
    stage.steps.clear()
    list(stage.runner.run(asked))
    assert "prepare layout 0" not in stage.told


def test_done_before(stage: Stage) -> None:
    """What was done before is left out; only what is missing is calibrated and measured."""
    asked = plan(layout(), build.phase(population=DATA), save())
    workload = asked.stages[0].workload
    kept = [
        build.sample(repeat, workload=workload, phase=phase)
        for phase, repeat in (("read", 0), ("read", 1), ("save", 0))
    ]
    samples = list(stage.runner.run(asked, kept))
    assert [(s.phase, s.repeat) for s in samples] == [("save", 1)]
    assert stage.told == ["prepare layout 0", "calibrate save 0", "measure save 1"]
    stage.steps.clear()
    assert list(stage.runner.run(asked, [*kept, *samples])) == []
    assert stage.told == []


class _Uncalibrated(Runner):
    """A runner whose phases are in virtual time, in which no harness can be the limit."""

    def _ceiling(self, stage: Any, phase: Phase, seed: int, long: int) -> None:
        """None: it would be measured in real time."""


class _Shared:
    """Virtual storage that gives all loaders together so many bytes a second."""

    name = "posix"

    def __init__(self, bandwidth: int) -> None:
        self.bandwidth = bandwidth

    def version(self) -> str:
        """Any."""
        return "1"

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Each loader has its part of the bandwidth."""
        engine = NullEngine(Pace(bandwidth=self.bandwidth // phase.slots))
        return engine.run(phase, site, report)


def levels(most: int) -> list[Phase]:
    """Accelerators that compute a file of 4 KiB in 5 ms, and take 200 files a second each."""
    return [
        build.phase(
            name=f"accelerators-{count}", population=DATA, processes=1, threads=count,
            accelerators=Accelerators(
                count=count, loaders=1, compute_ns=SECOND // 200, searched=levels_at_most(most)
            ),
        )
        for count in range(1, most + 1)
    ]  # fmt: skip


@pytest.mark.parametrize("fed", [0.7, 3.0, 5.5])
def test_a_search_finds_the_analytic_number(tmp_path: Path, fed: float) -> None:
    """The largest number of accelerators at the bar is BW / (bar × D), and a record goes on."""
    bandwidth = round(0.9 * fed * 200 * 4096)
    stage = Stage(tmp_path, _Shared(bandwidth))
    parts = {field.name: getattr(stage.runner, field.name) for field in fields(stage.runner)}
    stage.runner = _Uncalibrated(**parts)
    asked = plan(layout(), *levels(8))
    samples = list(stage.runner.run(asked))
    tried: dict[int, list[Sample]] = {}
    for sample in samples:
        tried.setdefault(int(sample.phase.rpartition("-")[2]), []).append(sample)
    assert {len(found) for found in tried.values()} == {2}
    phases = candidates(asked.stages[0])
    found = capacity({count: judged(phases[count], every) for count, every in tried.items()})
    assert abs(found.fed - int(fed)) <= 1
    assert len(tried) <= levels_at_most(8)
    assert list(stage.runner.run(asked, samples)) == []
    rest = list(stage.runner.run(asked, samples[:3]))
    assert [(s.phase, s.repeat) for s in rest] == [(s.phase, s.repeat) for s in samples[3:]]


def test_warm(stage: Stage) -> None:
    """A warm phase is read once before it is measured, and both can be seen."""
    asked = plan(layout(), build.phase(population=DATA, cache=CachePolicy.WARM), repeats=1)
    list(stage.runner.run(asked))
    assert stage.told[-2:] == ["warm up read 0", "measure read 0"]


def test_names_that_nobody_could_evict(stage: Stage) -> None:
    """Small files were cold, but not their names: that is said, and of nothing else."""
    large = build.population(
        directory="data/large", files=2, sizes=Sizes(distribution="fixed", mean=2**21)
    )
    asked = plan(
        layout(), layout(large),
        build.phase(population=DATA),
        build.phase(name="stat", operation=Operation.STAT, population=DATA),
        build.phase(name="found", population=DATA, cache=CachePolicy.AS_FOUND),
        build.phase(name="large", population=large),
        repeats=1,
    )  # fmt: skip
    doubted = [
        sample.phase
        for sample in stage.runner.run(asked)
        if "names_cached" in {warning.code for warning in sample.warnings}
    ]
    assert doubted == ["read", "stat"]


def test_refused_stages(stage: Stage) -> None:
    """A stage that was refused is left out."""
    assert list(stage.runner.run(plan(save(), refusal="no fio"))) == []
    assert stage.told == []


class Failing(NullEngine):
    """An engine that makes a scratch file and then fails."""

    def __init__(self, error: BaseException, prepare: Callable[[str], object] = bool) -> None:
        super().__init__()
        self.error, self.prepare = error, prepare

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Fail."""
        place = Path(site.root, phase.population.directory, "d000000")
        place.mkdir()
        (place / "f0000000000.tmp").write_text("x")
        self.prepare(site.root)
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (OSError(28, "No space left on device", "/mnt/x"), TargetFailed, "no_space"),
        (OSError(5, "Input/output error"), TargetFailed, "io_error"),
        (WorkerFailed("died"), WorkerFailed, "worker_failed"),
        (Interrupted("SIGINT"), Interrupted, "interrupted"),
        (RuntimeError("a bug"), RuntimeError, None),
    ],
)
def test_failure(
    tmp_path: Path, error: BaseException, expected: type[BaseException], code: str | None
) -> None:
    """However a phase ends, scratch files go, and errors of the target get their stable code."""
    stage = Stage(tmp_path, Failing(error))
    with pytest.raises(expected) as caught:
        list(stage.runner.run(plan(save())))
    assert getattr(caught.value, "code", None) == code
    assert not stage.scratch.exists()


def test_target_that_is_gone(tmp_path: Path) -> None:
    """Where nothing can be tidied up any more, the first error is the one that is told."""

    def remove(root: str) -> None:
        Path(root).rename(tmp_path / "gone")
        (tmp_path / "gone" / "scratch").rename(tmp_path / "gone" / "scratch2")

    stage = Stage(tmp_path, Failing(OSError(116, "Stale file handle"), remove))
    with pytest.raises(TargetFailed) as caught:
        list(stage.runner.run(plan(save())))
    assert caught.value.code == "stale"


def test_abandoned(stage: Stage) -> None:
    """Scratch files go also when whoever takes the samples stops taking them."""
    samples = stage.runner.run(plan(save()))
    next(samples)
    assert stage.scratch.exists()
    samples.close()
    assert not stage.scratch.exists()


def test_scratch_of_a_killed_run(stage: Stage) -> None:
    """What a killed run left in scratch is removed before anything is measured."""
    old = stage.scratch / "old" / "d000000"
    old.mkdir(parents=True)
    (old / "f0000000000.tmp").write_text("x")
    samples = stage.runner.run(plan(save()))
    next(samples)
    assert not old.exists()
    samples.close()


@pytest.mark.parametrize("kind", ["symlink", "file"])
def test_scratch_is_in_the_way(stage: Stage, tmp_path: Path, kind: str) -> None:
    """A foreign thing in the place of a scratch directory is not written through or removed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    place = stage.scratch / "save" / "d000000"
    place.parent.mkdir(parents=True)
    if kind == "symlink":
        place.symlink_to(outside)
    else:
        place.write_text("mine")
    with pytest.raises(WorkspaceError, match="aibench did not make it"):
        list(stage.runner.run(plan(save())))
    assert list(outside.iterdir()) == []
    assert place.is_symlink() or place.read_text() == "mine"


def worker(end_ns: int, operations: int = 5) -> WorkerResult:
    """A worker that ended at ``end_ns``."""
    return WorkerResult(
        host="h", process=0, thread=0, operations=operations, bytes=0, start_ns=0, end_ns=end_ns
    )


def found(**changes: Any) -> list[str]:
    """The codes of the warnings about a sample with this measurement."""
    return [w.code for w in warnings(build.sample(measurement=build.measurement(**changes)))]


def test_warnings() -> None:
    """Short runs, stragglers and workers without work are pointed out, each where it matters."""
    second = 10**9
    assert found() == ["short_run"]
    assert found(elapsed_ns=60 * second) == []
    assert "straggler" in found(workers=(worker(second // 2), worker(second)))
    assert "straggler" not in found(workers=(worker(second), worker(second // 3, 0)))
    assert "idle_workers" in found(workers=(worker(second), worker(1, 0)))
    assert "idle_workers" not in found(workers=(worker(second), worker(second)))


def test_reasons() -> None:
    """A sample with failed operations, or with none at all, does not count."""
    sample = build.sample()
    assert reasons(sample) == ()
    for change, code in (({"errors": 1}, "errors"), ({"operations": 0}, "nothing_measured")):
        broken = replace(sample, measurement=build.measurement(**change))
        assert [reason.code for reason in reasons(broken)] == [code]
