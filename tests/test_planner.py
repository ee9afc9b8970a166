"""Plans: what would run, what it costs, and every reason why it can't."""

import sys
from pathlib import Path

import pytest

from aibench.engines.posix import PosixEngine
from aibench.engines.torch.engine import TorchEngine
from aibench.errors import DefinitionError, Refused
from aibench.formats.files import space_bytes
from aibench.model import CachePolicy
from tests import build
from tests.planning import LOAD, NAMES, SAVE, Files, Missing, load, only, plan


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A directory for workload files."""
    return Files(tmp_path)


def test_a_plan_has_the_stages_in_order(files: Files) -> None:
    """Each workload becomes a stage with its phases, preparing ones first."""
    made = plan(files(load(), NAMES, SAVE))
    assert [stage.workload for stage in made.stages] == ["mine", "names", "save"]
    phases = [[phase.name for phase in stage.phases] for stage in made.stages]
    assert phases == [
        ["layout", "epoch"],
        ["create", "stat", "open-close", "list", "rename", "delete"],
        ["save"],
    ]
    assert [stage.repeats for stage in made.stages] == [4, 6, 6]
    assert [stage.engine for stage in made.stages] == ["posix"] * 3


def test_a_suite_overrides_the_file(files: Files) -> None:
    """Settings and repeats of a suite come before those of the file."""
    made = plan(files(load()), suite="quick")
    assert (only(made).population.files, made.stages[0].repeats) == (100, 2)
    made = plan(files(load()), suite="full")
    assert (only(made).population.files, made.stages[0].repeats) == (1000, 4)


def test_set_overrides_the_suite_and_scale_comes_last(files: Files) -> None:
    """--set wins over the suite, a workload's own over one for all, and --scale multiplies."""
    both = files(load(), load("other"))
    settings = ("files=300", "other.files=50", "batch=16")
    made = plan(both, suite="quick", settings=settings, scale=0.5, repeats=9)
    phases = [stage.measured[0] for stage in made.stages]
    assert [(p.population.files, p.batch) for p in phases] == [(150, 16), (25, 16)]
    assert [stage.repeats for stage in made.stages] == [9, 9]


def test_set_reads_units_names_and_numbers(files: Files) -> None:
    """Values of --set are written as in a file, with or without quotes."""
    for size in ("size=8KiB", 'size="8KiB"', "mine.size = 8KiB"):
        assert only(plan(files(load()), settings=(size,))).population.sizes.mean == 8192
    assert only(plan(files(load()), settings=("cache=direct",))).cache is CachePolicy.DIRECT


def test_a_key_of_one_kind_is_for_that_kind(files: Files) -> None:
    """One --set for all goes to the workloads that know the key, and leaves the others alone."""
    made = plan(files(load(), NAMES), settings=("batch=7", "files=40", "directories=4"))
    assert made.stages[0].measured[0].batch == 7
    assert {p.population.files for stage in made.stages for p in stage.phases} == {40}


@pytest.mark.parametrize("texts", [(load(),), (load(), NAMES)], ids=["one", "several"])
def test_an_unknown_key_lists_the_known_ones(files: Files, texts: tuple[str, ...]) -> None:
    """A mistyped --set is refused with the keys that exist, also in a run of several workloads."""
    with pytest.raises(DefinitionError, match=r"--set fils: unknown key; known: .*files, "):
        plan(files(*texts), settings=("fils=3",))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("files", "write key=value or workload.key=value"),
        ("=3", "write key=value"),
        ("yours.files=3", "no workload 'yours' in this run; it has mine, names"),
        ("mine.fils=3", r"--set \(mine\): fils: unknown key; known: batch, cache, epochs, files"),
        ("mine.files=0", r"--set \(mine\): files: has to be greater than or equal to 1, not 0"),
        ("files=many", r"--set \(mine\): files: has to be a valid integer, not 'many'"),
        ("size=4096", "needs a unit: write it as text, for example '4KiB'"),
        ("size=4K", "ambiguous"),
        ("cache=hot", "'cold', 'warm', 'direct' or 'as-found'"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(files: Files, setting: str, words: str) -> None:
    """Mistakes in --set name the setting, what is wrong and what would be right."""
    with pytest.raises(Refused, match=words):
        plan(files(load(), NAMES), settings=(setting,))


def test_the_mistakes_of_all_files_come_at_once(files: Files) -> None:
    """All mistakes of all workload files and of --set are told together, each with its place."""
    first, few = load(files="0", size='"4K"'), NAMES.replace("500", "3")
    third = LOAD.replace('"load"', '"lod"').replace("{name}", "third")
    with pytest.raises(DefinitionError) as wrong:
        plan(files(first, few, third), settings=("fils=1",))
    places = [line.split(": ")[0:2] for line in wrong.value.mistakes]
    assert places == [
        ["--set fils", "unknown key; known"],
        ["0.toml:9", "params.files"],
        ["0.toml:10", "params.size"],
        ["1.toml:6", "params"],
        ["2.toml:4", "kind"],
    ]
    assert "no workload kind 'lod'; built in: block" in wrong.value.mistakes[-1]


def test_mistakes_in_any_suite_are_found(files: Files) -> None:
    """A mistake in a suite is told with the suite's own line, whichever suite is asked for."""
    text = load() + '\n[suite.full]\nrepeats = 0\nfilse = 9\nsize = "0B"\n'
    with pytest.raises(DefinitionError) as wrong:
        plan(files(text), suite="quick")
    assert [line.split(": ")[:2] for line in wrong.value.mistakes] == [
        ["0.toml:19", "suite.full.repeats"],
        ["0.toml:20", "suite.full.filse"],
    ]
    with pytest.raises(DefinitionError, match=r"0\.toml:18: suite\.full: size has to be at least"):
        plan(files(load() + '\n[suite.full]\nsize = "0B"\n'))


def test_what_no_filesystem_holds_is_refused(files: Files) -> None:
    """More files than there are names are refused, also when only --scale asks for them."""
    with pytest.raises(DefinitionError, match=r"0\.toml: 20,000,000,000 files are more than"):
        plan(files(load(files="20_000_000_000")))
    with pytest.raises(DefinitionError, match="files are more than"):
        plan(files(load()), scale=10**8)


def test_costs_are_the_sum_of_the_phases(files: Files) -> None:
    """Bytes count every repeat; space counts data sets once, scratch at its worst, and names."""
    made = plan(files(load(), SAVE, NAMES))
    checkpoint = 4 * 3_500_000
    assert made.read_bytes == 4 * 1000 * 4096
    assert made.write_bytes == 1000 * 4096 + 6 * checkpoint
    stay, passing = (made.stages[n].phases[-1].population for n in (0, 1))
    assert made.space_bytes == space_bytes(stay) + space_bytes(passing)
    assert 1000 * 4096 + checkpoint < made.space_bytes < 1.01 * (1000 * 4096 + checkpoint)
    assert 1000 + 500 < made.inodes < 1000 + 500 + 50
    assert made.memory_bytes > checkpoint
    assert made.estimated_ns > 0


def test_only_checkpoints_that_are_kept_take_space(files: Files) -> None:
    """All are written, and there are never more than one besides those that stay."""
    one, all_of_them, kept = (
        plan(files(SAVE), settings=asked)
        for asked in ([], ["checkpoints=10"], ["checkpoints=10", "keep=2"])
    )
    assert all_of_them.write_bytes == kept.write_bytes >= 10 * one.write_bytes
    assert kept.space_bytes == all_of_them.space_bytes * 3 // 10
    snapshot = plan(files(SAVE), settings=["snapshot=true"])
    state = snapshot.memory_bytes - one.memory_bytes  # of two ranks
    assert state == 2 * (one.write_bytes // 6 // 2)


def test_what_is_refused_costs_nothing(files: Files) -> None:
    """A stage that an engine refuses says why, and asks for no space and no time."""
    made = plan(files(load()), engines={"posix": Missing()})
    assert made.stages[0].refusal == "missing is not installed"
    assert (made.space_bytes, made.write_bytes, made.estimated_ns, made.memory_bytes) == (0,) * 4


def test_direct_on_memory_is_refused(files: Files) -> None:
    """O_DIRECT on a tmpfs is refused in a sentence: there is no device behind it."""
    target = build.target(fstype="tmpfs")
    made = plan(files(load()), target=target, cache=CachePolicy.DIRECT)
    assert made.stages[0].refusal == (
        "cache policy direct: tmpfs is memory, there is no device to go to"
    )
    assert plan(files(load()), target=target).stages[0].refusal is None


def test_a_refusing_engine_is_quoted(files: Files) -> None:
    """What an engine can't do is refused in its own words, the other stages stay."""
    made = plan(files(load(), NAMES), engines={"posix": PosixEngine()}, cache=CachePolicy.DIRECT)
    assert [stage.refusal for stage in made.stages] == [
        None, "cache policy direct means nothing for stat",
    ]  # fmt: skip


def test_another_engine_does_all(files: Files) -> None:
    """--engine replaces the engine of every workload."""
    made = plan(files(load(), NAMES), engine="other")
    assert [stage.engine for stage in made.stages] == ["other", "other"]


def test_a_missing_library_leaves_out_its_workload_alone(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workload whose format needs a package that is not there is refused with how to get it."""
    monkeypatch.setitem(sys.modules, "h5py", None)
    (stage,) = plan(files(load()), settings=("format=hdf5", "reader=")).stages
    assert stage.refusal is not None
    assert "h5py" in stage.refusal
    assert stage.phases == ()


def test_an_engine_that_knows_no_other_ranks(files: Files) -> None:
    """What would do the whole work on each rank is refused under a launcher, and not without."""
    engines = {"torch": TorchEngine()}
    alone = plan(files(load()), engines, engine="torch")
    (stage,) = plan(files(load()), engines, engine="torch", fleet=(2, 2)).stages
    assert stage.refusal == (
        "engine torch measures in one process, without a launcher; engine posix can"
    )
    assert alone.stages[0].refusal != stage.refusal
