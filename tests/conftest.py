"""What holds for all tests: the longest come first, and hypothesis measures no time."""

from collections import Counter

import pytest
from hypothesis import settings

#: Machines are noisy.
settings.register_profile("aibench", deadline=None)
settings.load_profile("aibench")

_FEW_SECONDS = 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of tests that take long come first, so that short ones fill the time until all end."""
    seconds: Counter[object] = Counter()
    for item in items:
        if (slow := item.get_closest_marker("slow")) is not None:
            seconds[item.path] += slow.args[0] if slow.args else _FEW_SECONDS
    items.sort(key=lambda item: -seconds[item.path])
