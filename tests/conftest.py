"""What holds for all tests: the longest come first, and hypothesis measures no time."""

from collections import Counter
from collections.abc import Iterator

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


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What aibench keeps for the next command is kept for these tests, and beside the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
