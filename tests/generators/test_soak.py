"""The soak kind: rounds that make a duration, each a repeat of one phase."""

from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.generators.kind import Request
from aibench.generators.soak import KIND, Settings
from aibench.model import CachePolicy, Operation

REQUEST = Request(workload="soak", seed=3, cpus=2)


def settings(**given: Any) -> Settings:
    """The settings of a soak."""
    return parse(Settings, given, "soak.toml")


@pytest.mark.parametrize(("duration", "rounds"), [("1h", 6), ("61min", 7), ("10min", 1)])
def test_a_duration_is_so_many_rounds(duration: str, rounds: int) -> None:
    """Each is a repeat of its own, so that a run that stopped goes on with the next."""
    assert KIND.repeats is not None
    assert KIND.repeats(settings(duration=duration, round="10min")) == rounds


def test_loaders_save_too() -> None:
    """As many shards as workers, committed, in a scratch directory; the data stays."""
    laid, soak = KIND.phases(settings(workers=3, shard="1MB", every="5s"), REQUEST)
    assert (laid.operation, soak.operation) == (Operation.WRITE_FILES, Operation.SOAK)
    assert soak.saving is not None
    assert soak.saving.population.files == 3
    assert not soak.saving.population.persistent
    assert soak.soak is not None
    assert (soak.soak.every_ns, soak.runtime_ns) == (5 * 10**9, 600 * 10**9)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"duration": "1min"}, "no longer than the duration"),
        ({"duration": "1000h", "round": "1s"}, "make them longer"),
        ({"shard": "0B"}, "at least one byte"),
        ({"cache": "direct"}, "page cache"),
    ],
    ids=str,
)
def test_what_can_not_be_is_refused(given: dict[str, Any], why: str) -> None:
    """With a sentence that says what would be right."""
    with pytest.raises(DefinitionError, match=why):
        settings(**given)


def test_direct_is_refused_where_the_command_line_asks() -> None:
    """The cache policy of the command line is checked as that of the file."""
    with pytest.raises(ValueError, match="page cache"):
        KIND.phases(settings(), Request(workload="s", seed=1, cpus=1, cache=CachePolicy.DIRECT))
