"""Where records go, and how they are found again."""

from pathlib import Path

import pytest

from aibench.cli import results
from aibench.errors import RecordError, Refused
from aibench.probes import mounts
from aibench.store import Writer
from tests import build


def written(directory: Path, run_id: str) -> None:
    """An empty record with this id."""
    Writer(str(directory), build.record(run_id=run_id)).finish()


def test_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option wins over the environment, and that over the default; empty counts as unset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIBENCH_RESULTS", "environment")
    assert results.directory("option")[0] == "option"
    assert results.directory(None)[0] == "environment"
    monkeypatch.setenv("AIBENCH_RESULTS", "")
    assert results.directory(None)[0] == "results/runs"


def test_on_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the mount under test the default is refused, on the root filesystem it is a warning."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIBENCH_RESULTS", "")
    here = mounts.describe(str(tmp_path))
    target = build.target(device_id=here.device_id, mount_point="/mnt/data")
    with pytest.raises(Refused, match="on the mount under test"):
        results.directory(None, target)
    for asked, place in (("here", "/mnt/data"), (None, "/")):
        _, remarks = results.directory(asked, build.target(
            device_id=here.device_id, mount_point=place
        ))  # fmt: skip
        assert [remark.code for remark in remarks] == ["results_on_target"]
    assert results.directory(None, build.target(device_id="999:999"))[1] == ()


def test_found_again(tmp_path: Path) -> None:
    """A record is found by its whole id before by a part, and 'last' is the latest."""
    for name in ("20260101T000000Z-a-000001", "20260102T000000Z-a-000002", "20260103T000000Z-a"):
        written(tmp_path, name)
    found = {
        name: results.load(name, str(tmp_path))[0].run_id
        for name in ("last", "20260103T000000Z-a", "000002")
    }
    assert found == {
        "last": "20260103T000000Z-a",
        "20260103T000000Z-a": "20260103T000000Z-a",
        "000002": "20260102T000000Z-a-000002",
    }


@pytest.mark.parametrize(("name", "words"), [("2026", "3 records"), ("x", "no record"), ("", "no")])
def test_not_found(tmp_path: Path, name: str, words: str) -> None:
    """No record of that name, or several, is refused with the place that was looked at."""
    for number in range(3):
        written(tmp_path, f"20260101T000000Z-a-00000{number}")
    with pytest.raises(RecordError, match=words) as caught:
        results.load(name, str(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_prepare(tmp_path: Path) -> None:
    """The directory for records is made; a file in its place is refused."""
    results.prepare(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Refused, match="file"):
            results.prepare(str(place))
