"""The load kind: a data set of small files, and one epoch over all of it."""

from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.formats.files import largest_size, total_bytes
from aibench.generators.kind import Request
from aibench.generators.load import KIND, Settings
from aibench.model import CachePolicy, Operation, Order, Phase

MIB = 2**20


def phases(settings: dict[str, Any] | None = None, **changes: Any) -> tuple[Phase, Phase]:
    """The layout and the epoch of ``settings`` for a workload named photos on four cores."""
    layout, epoch = every(settings, **changes)
    return layout, epoch


def every(settings: dict[str, Any] | None = None, **changes: Any) -> tuple[Phase, ...]:
    """The layout and all epochs."""
    parts: dict[str, Any] = {"workload": "photos", "seed": 3, "cpus": 4}
    checked = parse(Settings, settings or {}, "load.toml")
    return KIND.phases(checked, Request(**parts | changes))


def test_an_epoch_reads_what_was_laid_out() -> None:
    """The data set is written before anything is measured, and stays; then it is read whole."""
    layout, epoch = phases()
    assert (layout.operation, layout.measured) == (Operation.WRITE_FILES, False)
    assert (epoch.operation, epoch.measured) == (Operation.READ_FILES, True)
    assert layout.population == epoch.population
    assert epoch.population.persistent
    assert epoch.population.directory.startswith("data/photos-")


def test_the_defaults_are_those_of_a_data_loader() -> None:
    """By default: ImageNet's sizes, shuffled, cold, batches of 32, open-fstat-read-close."""
    _, epoch = phases()
    assert (epoch.order, epoch.cache) == (Order.SHUFFLED, CachePolicy.COLD)
    assert (epoch.reader, epoch.batch, epoch.threads) == ("stat", 32, 1)
    sizes = epoch.population.sizes
    assert (sizes.distribution, sizes.mean, sizes.sigma) == ("lognormal", 114_660, 0.55)


@pytest.mark.parametrize(("cpus", "workers"), [(1, 4), (2, 4), (8, 16), (64, 128)])
def test_workers_follow_the_cores(cpus: int, workers: int) -> None:
    """``workers = 0`` takes two for each core and at least four; any other number is kept."""
    assert phases(cpus=cpus)[1].processes == workers
    assert phases({"workers": 7}, cpus=cpus)[1].processes == 7


def test_a_given_number_of_workers_asks_for_the_same_everywhere() -> None:
    """With its workers given, the phases of a workload don't depend on the machine's cores."""
    assert phases({"workers": 6}, cpus=2) == phases({"workers": 6}, cpus=96)


def test_the_buffer_holds_a_whole_file() -> None:
    """One call reads a file whole, up to files of 8 MiB; buffers are whole blocks."""
    for settings, io_size in (
        ({"sizes": "fixed", "size": "4KiB"}, 4096),
        ({"sizes": "fixed", "size": "5000B"}, 8192),
        ({"largest": "1MiB"}, MIB),
        ({"sizes": "fixed", "size": "1GiB"}, 8 * MIB),
    ):
        _, epoch = phases(settings)
        assert epoch.io_size == io_size
        assert epoch.io_size >= min(largest_size(epoch.population), 8 * MIB)


def test_sizes_are_those_asked_for() -> None:
    """A fixed size is every file's; the cuts of a log-normal one hold."""
    _, fixed = phases({"sizes": "fixed", "size": "1000B", "files": 7})
    assert total_bytes(fixed.population) == 7000
    _, spread = phases({"smallest": "100kB", "largest": "130kB"})
    assert largest_size(spread.population) <= 130_000


def test_the_command_line_overrides_the_cache_policy() -> None:
    """--cache wins over the file; everything else stays."""
    assert phases({"cache": "warm"}, cache=CachePolicy.DIRECT)[1].cache is CachePolicy.DIRECT
    assert phases({"cache": "warm"})[1].cache is CachePolicy.WARM


def test_phases_are_pure() -> None:
    """Equal settings, seeds and cores give equal phases; another seed gives other data."""
    assert phases() == phases()
    assert phases(seed=4)[1].population.directory != phases()[1].population.directory


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"files": 0}, "files: has to be greater than or equal to 1, not 0"),
        ({"files": 10.5}, "files: has to be a valid integer"),
        ({"files": True}, "files: has to be a valid integer"),
        ({"size": "0B"}, "size has to be at least 1B"),
        ({"size": "1KiB"}, "smallest <= size <= largest, not 2048 B, 1024 B"),
        ({"sigma": 4}, "sigma: has to be less than or equal to 3, not 4"),
        ({"sizes": "uniform"}, "'fixed' or 'lognormal', not 'uniform'"),
        ({"batch": 5000}, "batch: has to be less than or equal to 4096"),
        ({"threads": 0}, "threads: has to be greater than or equal to 1"),
        ({"workers": -1}, "workers: has to be greater than or equal to 0"),
        ({"reader": "tea"}, "format 'files' has no reader 'tea'; it has "),
        ({"file": 3}, "unknown key; known: batch, cache, epochs, files, "),
    ],
)
def test_mistakes_say_what_would_be_right(settings: dict[str, Any], words: str) -> None:
    """Impossible settings are refused with what would be right."""
    with pytest.raises(DefinitionError) as wrong:
        phases(settings)
    assert words in str(wrong.value)


def test_more_files_than_names_are_refused() -> None:
    """Ten digits name ten thousand million files, and no more can be asked for."""
    assert phases({"files": 10**10})[1].population.files == 10**10
    with pytest.raises(ValueError, match="10,000,000,001 files are more than"):
        phases({"files": 10**10 + 1})


def test_what_scale_multiplies() -> None:
    """--scale multiplies the number of files, not their size."""
    assert KIND.scaled == ("files",)


def test_rates_make_a_sweep() -> None:
    """One epoch for each rate, in samples a second; bytes count by the mean size."""
    _, *found = every({"rates": ["50op/s", "8kB/s"], "size": "4kB", "sizes": "fixed"})
    assert [(phase.name, phase.rate) for phase in found] == [("rate-1", 50.0), ("rate-2", 2.0)]
    assert all(phase.cache is CachePolicy.COLD for phase in found)


def test_epochs_have_orders_and_caches_of_their_own() -> None:
    """Only the first epoch is cold; each has its number, which decides its order."""
    _, *found = every({"epochs": 3})
    assert [(phase.name, phase.epoch) for phase in found] == [
        ("epoch", 0), ("epoch-2", 1), ("epoch-3", 2)
    ]  # fmt: skip
    assert [phase.cache for phase in found] == [
        CachePolicy.COLD, CachePolicy.AS_FOUND, CachePolicy.AS_FOUND
    ]  # fmt: skip


@pytest.mark.parametrize("rate", ["0op/s", "-1op/s", "fastop/s", "infop/s", "5", "5op", ""])
def test_what_is_no_rate_is_refused(rate: str) -> None:
    """A rate is a positive number of samples or bytes a second, with its unit."""
    with pytest.raises(DefinitionError, match="rate"):
        phases({"rates": [rate]})


def test_a_format_brings_its_reader() -> None:
    """Where none is named it is the first of the format's; samples lie in files as asked."""
    _, epoch = phases({"format": "webdataset", "samples_per_file": 50, "files": 3})
    assert epoch.reader == "webdataset"
    assert (epoch.population.format, epoch.population.samples) == ("webdataset", 150)
    with pytest.raises(ValueError, match="a plain file holds one sample"):
        phases({"samples_per_file": 2})
