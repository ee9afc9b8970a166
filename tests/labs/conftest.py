"""No test of a lab leaves anything of it behind."""

import os
from collections.abc import Iterator

import pytest

from tests.integration.command import eventually
from tests.labs import undoing


def _standing(text: str) -> dict[str, str]:
    """All that is there of labs whose name has ``text``: a process by its id, the rest by name.

    A server changes its title while it works.
    """
    found = {}
    for name in undoing.traces(text):
        number = name.partition(" ")[0]
        found[number if number.isdigit() else name] = name
    return found


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After each test no mount, device, network, group, process or file of its labs is there.

    What a lab that goes on starts for a moment, such as a process for a connection, gets that.
    """
    mine = f"{os.getpid()}-{undoing.born(os.getpid())}-"
    before = _standing(mine)
    yield
    eventually(lambda: not _standing(mine).keys() - before.keys(), limit_s=5)
    assert [name for key, name in _standing(mine).items() if key not in before] == []
