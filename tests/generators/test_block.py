"""The block kind: settings, their mistakes, and the phases that they become."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.engines.fio import FioEngine, job
from aibench.errors import DefinitionError
from aibench.generators.block import KIND, Settings
from aibench.generators.kind import Request
from aibench.model import CachePolicy, Operation, Order, Phase, SyncPolicy
from tests import build

MIB = 2**20
_DEFINITION = Path(__file__).parents[2] / "workloads" / "block.toml"


def phases(settings: dict[str, Any] | None = None, **changes: Any) -> tuple[Phase, ...]:
    """The phases of ``settings`` for a workload named block on four cores."""
    parts: dict[str, Any] = {"workload": "block", "seed": 3, "cpus": 4}
    checked = parse(Settings, settings or {}, "block.toml")
    return KIND.phases(checked, Request(**parts | changes))


def definition() -> dict[str, Any]:
    """The workload file that comes with aibench."""
    return tomllib.loads(_DEFINITION.read_text())


def test_one_preparing_and_four_measured_phases() -> None:
    """A block workload lays out its data, then reads and writes it in sequence and at random."""
    layout, *measured = phases()
    assert (layout.name, layout.operation, layout.measured) == (
        "layout",
        Operation.WRITE_FILES,
        False,
    )
    assert layout.sync is SyncPolicy.END
    shapes = [(p.name, p.operation, p.order, p.io_size, p.depth) for p in measured]
    assert shapes == [
        ("seq-read", Operation.READ_BLOCKS, Order.SEQUENTIAL, MIB, 8),
        ("seq-write", Operation.WRITE_BLOCKS, Order.SEQUENTIAL, MIB, 8),
        ("rand-read", Operation.READ_BLOCKS, Order.SHUFFLED, 4096, 32),
        ("rand-write", Operation.WRITE_BLOCKS, Order.SHUFFLED, 4096, 32),
    ]
    assert all(phase.measured and phase.runtime_ns == 30 * 10**9 for phase in measured)


def test_reads_keep_their_data_and_writes_are_scratch() -> None:
    """Data to read stays for the next run; what is written over is removed and counted apart."""
    layout, seq_read, seq_write, rand_read, rand_write = phases()
    assert layout.population == seq_read.population == rand_read.population
    assert seq_write.population == rand_write.population
    assert (layout.population.directory, layout.population.persistent) == ("data/block", True)
    scratch = seq_write.population
    assert (scratch.directory, scratch.persistent) == ("scratch/block-write", False)
    assert [p.sync for p in (seq_write, rand_write)] == [SyncPolicy.END] * 2


def test_the_cache_policy_is_direct_unless_asked_otherwise() -> None:
    """Block I/O passes the page cache by; the file and the command line can say otherwise."""
    assert {p.cache for p in phases()[1:]} == {CachePolicy.DIRECT}
    assert {p.cache for p in phases({"cache": "warm"})[1:]} == {CachePolicy.WARM}
    asked = phases({"cache": "warm"}, cache=CachePolicy.COLD)
    assert {p.cache for p in asked[1:]} == {CachePolicy.COLD}


def test_zero_jobs_means_one_a_core() -> None:
    """``jobs = 0`` takes one job, and one file, for each usable core."""
    assert {(p.processes, p.population.files) for p in phases({"jobs": 0}, cpus=6)} == {(6, 6)}


def test_files_are_whole_blocks_of_both_sizes() -> None:
    """A file size is rounded up to whole blocks of both sizes, so that fio can do every phase."""
    found = phases({"file_size": "10MB", "sequential_block": "1MiB", "random_block": "12KiB"})
    assert {p.population.sizes.mean for p in found} == {12 * MIB}
    assert [FioEngine().refusal(p, build.target()) for p in found[1:]] == [None] * 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"jobs": -1}, "greater than or equal to 0, not -1"),
        ({"random_depth": 0}, "greater than or equal to 1, not 0"),
        ({"random_block": "1000B"}, "random_block has to be a multiple of 512 B, not 1000 B"),
        ({"file_size": "512KiB"}, "of 1.00 MiB does not fit into a file_size of 512 KiB"),
        ({"file_size": "1G"}, "ambiguous"),
        ({"blocksize": "4KiB"}, "unknown key; known: cache, file_size, jobs"),
        ({"cache": "hot"}, "'cold', 'warm', 'direct' or 'as-found'"),
    ],
)
def test_mistakes_say_what_would_be_right(settings: dict[str, Any], words: str) -> None:
    """Impossible settings are refused with their place and what would be right."""
    with pytest.raises(DefinitionError, match=r"block\.toml") as wrong:
        phases(settings)
    assert words in str(wrong.value)


def test_equal_settings_give_equal_phases() -> None:
    """Phases follow from settings, seed and cores alone."""
    assert phases() == phases()
    assert phases() != phases(seed=4)


@pytest.mark.parametrize("suite", ["standard", "quick", "full"])
def test_the_shipped_workload_is_valid_in_every_suite(suite: str) -> None:
    """The block workload that comes with aibench is valid, and fio can do all of its phases."""
    shipped = definition()
    changes = {k: v for k, v in shipped["suite"].get(suite, {}).items() if k != "repeats"}
    found = phases(shipped["params"] | changes)
    assert (shipped["name"], shipped["kind"]) == ("block", KIND.name)
    assert suite in shipped["suites"]
    assert set(KIND.scaled) <= set(Settings.model_fields)
    assert all(job.is_plain(path) for p in found for path in job.paths(p, range(p.processes)))


def test_the_quick_suite_is_small() -> None:
    """The quick suite holds at most 512 MiB a population, for three repeats of four seconds."""
    quick = definition()["suite"]["quick"]
    assert quick["repeats"] == 3
    found = phases(definition()["params"] | {k: v for k, v in quick.items() if k != "repeats"})
    assert all(p.population.files * p.population.sizes.mean <= 512 * MIB for p in found)
    assert {p.runtime_ns for p in found[1:]} == {4 * 10**9}
