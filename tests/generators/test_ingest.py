"""The ingest kind: files written once, from memory or from another directory, and verified."""

import os
from pathlib import Path
from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.formats.files import sizes_of_classes, total_bytes
from aibench.generators.ingest import KIND, Settings
from aibench.generators.kind import Request
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy


def phases(**settings: Any) -> tuple[Phase, ...]:
    """The phases of ``settings`` for a workload named raw on two cores."""
    checked = parse(Settings, settings, "ingest.toml")
    return KIND.phases(checked, Request(workload="raw", seed=3, cpus=2))


def test_what_is_written_is_read_back_by_others() -> None:
    """Scratch files are written and synced, then compared cold by another worker."""
    ingest, verify = phases()
    assert (ingest.operation, verify.operation) == (Operation.INGEST, Operation.COMPARE)
    assert ingest.population == verify.population
    assert not ingest.population.persistent
    assert (ingest.sync, ingest.shift) == (SyncPolicy.END, 0)
    assert (verify.cache, verify.shift) == (CachePolicy.COLD, 1)


def test_settings_become_phases() -> None:
    """Files, sizes, workers, the sync and the verification are as asked for."""
    (ingest,) = phases(
        files=7, sizes="fixed", size="1GiB", workers=3, sync="none", verify=False, io_size="4MiB"
    )
    assert total_bytes(ingest.population) == 7 * 2**30
    assert (ingest.processes, ingest.sync, ingest.io_size) == (3, SyncPolicy.NONE, 2**22)


def test_a_source_brings_its_sizes(tmp_path: Path) -> None:
    """Regular files below the source, in the order of their names; links and pipes are left out."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one").write_bytes(b"x" * 5)
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "c").write_bytes(b"x" * 3)
    (tmp_path / "link").symlink_to(tmp_path / "c")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    ingest, verify = phases(source=str(tmp_path))
    assert sizes_of_classes(ingest.population).tolist() == [0, 5, 3]
    assert ingest.source == verify.source == str(tmp_path)
    first, _ = phases(source=str(tmp_path), files=2)
    assert sizes_of_classes(first.population).tolist() == [0, 5]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sync": "commit"}, "'none' or 'end', not 'commit'"),
        ({"size": "1B"}, "smallest <= size <= largest"),
        ({"io_size": "0B"}, "io_size has to be at least 1B"),
        ({"source": "here"}, "source has to be an absolute path, not 'here'"),
        ({"cache": "direct"}, "use cold or as-found"),
        ({"files": 0}, "greater than or equal to 1"),
    ],
)
def test_mistakes_say_what_would_be_right(settings: dict[str, Any], words: str) -> None:
    """Impossible settings are refused with what would be right."""
    with pytest.raises(DefinitionError) as wrong:
        phases(**settings)
    assert words in str(wrong.value)


def test_a_source_that_is_none_is_refused(tmp_path: Path) -> None:
    """A missing directory and an empty one are named."""
    with pytest.raises(ValueError, match="missing can't be read: no such file"):
        phases(source=str(tmp_path / "missing"))
    with pytest.raises(ValueError, match="has no regular file in it"):
        phases(source=str(tmp_path))
