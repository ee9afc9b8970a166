"""No test of a lab leaves anything of it behind."""

import os
from collections.abc import Iterator

import pytest

from tests.labs import undoing


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """After each test no mount, device, network, group, process or file of its labs is there."""
    mine = f"{os.getpid()}-{undoing.born(os.getpid())}-"
    before = undoing.traces(mine)
    yield
    assert undoing.traces(mine) == before
