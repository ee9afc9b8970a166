"""The preprocess kind: raw data laid out, then read, transformed and written into shards."""

from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.formats.files import size_of
from aibench.generators.kind import Request
from aibench.generators.preprocess import KIND, Settings
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy


def phases(cache: CachePolicy | None = None, **settings: Any) -> tuple[Phase, Phase]:
    """The phases of ``settings`` for a workload named raw on two cores."""
    checked = parse(Settings, settings, "preprocess.toml")
    layout, made = KIND.phases(checked, Request(workload="raw", seed=3, cpus=2, cache=cache))
    return layout, made


def test_raw_data_stays_and_shards_do_not() -> None:
    """The raw data is laid out once; what is made of it is scratch."""
    layout, made = phases()
    assert (layout.operation, made.operation) == (Operation.WRITE_FILES, Operation.PREPROCESS)
    assert layout.population == made.population
    assert made.population.persistent
    assert made.transform is not None
    assert not made.transform.output.persistent
    assert (made.cache, made.sync, made.transform.cpu_ns) == (CachePolicy.COLD, SyncPolicy.END, 0)


@pytest.mark.parametrize(
    ("files", "batch", "workers", "shards"),
    [(1000, 1, 4, 12), (1000, 32, 4, 12), (7, 1, 1, 1), (200, 100, 4, 4), (201, 1, 2, 4)],
)
def test_there_is_room_for_all_shards(files: int, batch: int, workers: int, shards: int) -> None:
    """Shards of a hundred samples, for the worker with the most samples and so for all."""
    settings = {"files": files, "batch": batch, "workers": workers, "samples_per_shard": 100}
    _, made = phases(**settings)
    assert made.transform is not None
    assert made.transform.output.files == shards


def test_what_is_made_has_the_size_asked_for() -> None:
    """So many times the mean size, at the stated cost, in shards of so many samples."""
    _, made = phases(sizes="fixed", size="10kB", ratio=0.25, cpu="3ms", samples_per_shard=8)
    assert made.transform is not None
    assert (made.transform.sample_bytes, made.transform.cpu_ns) == (2500, 3_000_000)
    assert size_of(made.transform.output, 0) == 20_000


def test_any_format_can_be_read() -> None:
    """The raw data may lie in any format, read as one of its readers does."""
    _, made = phases(format="webdataset", samples_per_file=10, files=12, workers=5)
    assert made.reader == "webdataset"
    assert made.transform is not None
    assert made.transform.output.files == 5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ratio": 0}, "ratio: has to be greater than 0"),
        ({"samples_per_shard": 0}, "samples_per_shard: has to be greater than or equal to 1"),
        ({"io_size": "0B"}, "io_size has to be at least 1B"),
        ({"sync": "commit"}, "'none' or 'end', not 'commit'"),
        ({"cpu": 3}, "needs a unit"),
        ({"epochs": 2}, "unknown key"),
    ],
)
def test_mistakes_say_what_would_be_right(settings: dict[str, Any], words: str) -> None:
    """Impossible settings are refused with what would be right."""
    with pytest.raises(DefinitionError) as wrong:
        phases(**settings)
    assert words in str(wrong.value)


def test_the_page_cache_is_not_passed_by() -> None:
    """Direct reading is refused, as it is not what readers of formats do."""
    with pytest.raises(ValueError, match="through the page cache"):
        phases(CachePolicy.DIRECT)
