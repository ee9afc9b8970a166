"""What users said of series is kept as it was said, and nothing else is taken for it."""

from pathlib import Path

import pytest

from aibench import baselines
from aibench.errors import RecordError, Refused
from aibench.model.history import Event

ONE = Event(kind="set", series="a" * 64, run_id="r1", at="2026-01-01T00:00:00Z", by="me")
TWO = Event(
    kind="bless",
    series="b" * 64,
    run_id="r2",
    at="2026-01-02T00:00:00Z",
    by="you",
    reason="\u2028\n",
)


def test_events_are_added_behind_each_other(tmp_path: Path) -> None:
    """Each event comes back as it was given, in order; without a file there are none."""
    assert baselines.events(str(tmp_path)) == ()
    baselines.add(str(tmp_path), [ONE])
    path = Path(baselines.add(str(tmp_path), [TWO, ONE]))
    assert baselines.events(str(tmp_path)) == (ONE, TWO, ONE)
    assert baselines.of(baselines.events(str(tmp_path)), TWO.series) == (TWO,)
    assert len(path.read_text().splitlines()) == 3


def test_damage_is_named(tmp_path: Path) -> None:
    """A line that is no event is refused with its number, and one that was cut off is left out."""
    path = Path(baselines.add(str(tmp_path), [ONE]))
    whole = path.read_text()
    path.write_text(whole + '{"kind": "set"')
    assert baselines.events(str(tmp_path)) == (ONE,)
    path.write_text(whole + '{"kind": "set"}\n')
    with pytest.raises(RecordError, match="line 2"):
        baselines.events(str(tmp_path))


def test_no_place_to_write(tmp_path: Path) -> None:
    """Where nothing can be written the message names the file and the option."""
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="--baselines DIR"):
        baselines.add(str(tmp_path / "file"), [ONE])
