"""The metadata kind: the life of many names, from create to delete."""

from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.formats.files import directory_count, total_bytes
from aibench.generators.kind import Request
from aibench.generators.metadata import KIND, Settings
from aibench.model import CachePolicy, Operation, Phase


def phases(settings: dict[str, Any] | None = None, **changes: Any) -> tuple[Phase, ...]:
    """The phases of ``settings`` for a workload named names on four cores."""
    parts: dict[str, Any] = {"workload": "names", "seed": 3, "cpus": 4}
    checked = parse(Settings, settings or {}, "metadata.toml")
    return KIND.phases(checked, Request(**parts | changes))


def test_names_are_made_before_they_are_used() -> None:
    """Create, stat, open and close, list, rename, delete: in the order in which they can be."""
    found = phases()
    assert [phase.operation for phase in found] == [
        Operation.CREATE, Operation.STAT, Operation.OPEN_CLOSE, Operation.LIST, Operation.RENAME,
        Operation.DELETE,
    ]  # fmt: skip
    assert all(phase.measured for phase in found)
    assert len({phase.population for phase in found}) == 1


def test_files_are_empty_and_pass() -> None:
    """The files have no bytes, lie in as many directories as asked for, and are removed."""
    population = phases({"files": 1000, "directories": 30})[0].population
    assert (population.files, total_bytes(population), population.persistent) == (1000, 0, False)
    assert directory_count(population) == 30


@pytest.mark.parametrize(("files", "directories"), [(10, 3), (100, 99), (12_000, 120), (7, 7)])
def test_never_more_directories_than_asked_for(files: int, directories: int) -> None:
    """Files are spread evenly, so that the last directories may not be needed."""
    population = phases({"files": files, "directories": directories})[0].population
    assert 0 < directory_count(population) <= directories


def test_who_looks_is_not_who_created() -> None:
    """Every later operation is done by another worker than created the name."""
    assert [phase.shift for phase in phases()] == [0, 1, 1, 1, 1, 1]


def test_the_cache_policy_is_for_what_looks() -> None:
    """Caches are emptied before stat, open and list; what changes names needs no policy."""
    looks = [phase.name for phase in phases() if phase.cache is CachePolicy.COLD]
    assert looks == ["stat", "open-close", "list"]
    warm = phases(cache=CachePolicy.WARM)
    assert [phase.name for phase in warm if phase.cache is CachePolicy.WARM] == looks


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"files": 5, "directories": 6}, "at least one file a directory, not 5 files in 6"),
        ({"cache": "direct"}, "cache policy direct means nothing for names"),
        ({"directories": 0}, "directories: has to be greater than or equal to 1"),
        ({"depth": 2}, "unknown key; known: cache, directories, files, workers"),
    ],
)
def test_mistakes_say_what_would_be_right(settings: dict[str, Any], words: str) -> None:
    """Impossible settings are refused with what would be right."""
    with pytest.raises(DefinitionError) as wrong:
        phases(settings)
    assert words in str(wrong.value)


def test_what_scale_multiplies() -> None:
    """--scale multiplies the number of files, and phases are pure."""
    assert KIND.scaled == ("files",)
    assert phases() == phases()
