"""The index says what the records say, whatever happens to either of them."""

import multiprocessing
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from aibench import index
from aibench.errors import RecordError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def body(path: str) -> dict[str, Any]:
    """What a file says; each call is noted beside it."""
    with open(f"{path}.read", "a", encoding="utf-8") as file:
        file.write(".")
    text = Path(path).read_text(encoding="utf-8")
    if text == "bad":
        raise RecordError(f"{path} is damaged")
    return {"text": text}


def told(directory: Path, version: str = "1") -> tuple[dict[str, Any], dict[str, str]]:
    """What the index says of a directory."""
    return index.bodies(str(directory), ".rec", version, body)


def reads(directory: Path) -> int:
    """How often files were read."""
    return sum(path.stat().st_size for path in directory.glob("*.read"))


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Three records, one of which is damaged."""
    directory = tmp_path / "records"
    directory.mkdir()
    for name, text in (("a", "one"), ("b", "two"), ("c", "bad")):
        (directory / f"{name}.rec").write_text(text)
    return directory


def test_files_are_read_once(records: Path) -> None:
    """The second time nothing is read, not even what can't be, and the answer is the same."""
    first = told(records)
    assert first[0] == {"a.rec": {"text": "one"}, "b.rec": {"text": "two"}}
    assert first[1] == {"c.rec": f"{records}/c.rec is damaged"}
    assert told(records) == first
    assert reads(records) == 3


def test_changed_and_removed_files(records: Path) -> None:
    """A file that changed is read again, a new one too, and one that is gone is forgotten."""
    told(records)
    (records / "a.rec").write_text("other")
    (records / "b.rec").unlink()
    (records / "d.rec").write_text("four")
    assert told(records)[0] == {"a.rec": {"text": "other"}, "d.rec": {"text": "four"}}
    assert reads(records) == 5


def test_same_size_at_another_time(records: Path) -> None:
    """A file of the same size that was written later is read again."""
    told(records)
    (records / "a.rec").write_text("eno")
    os.utime(records / "a.rec", ns=(1, 1))
    assert told(records)[0]["a.rec"] == {"text": "eno"}


def test_another_version_reads_everything(records: Path) -> None:
    """What an older aibench understood of a record is not taken for granted."""
    told(records)
    told(records, "2")
    assert reads(records) == 6


@pytest.mark.parametrize("content", [b"", b"not a database at all, however long it is" * 100])
def test_a_damaged_index_is_made_anew(records: Path, content: bytes) -> None:
    """The records are the truth; an index that is none is replaced."""
    first = told(records)
    index.place(str(records)).write_bytes(content)
    assert told(records) == first
    assert told(records) == first


def test_foreign_tables_are_no_index(records: Path) -> None:
    """A database with other tables under the index's name is replaced."""
    path = index.place(str(records))
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE record (name TEXT)")
        database.execute("CREATE TABLE about (what TEXT)")
    assert set(told(records)[0]) == {"a.rec", "b.rec"}


def test_no_place_for_an_index(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no index can be kept the records are read each time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(records / "a.rec"))
    assert set(told(records)[0]) == {"a.rec", "b.rec"}
    assert set(told(records)[0]) == {"a.rec", "b.rec"}
    assert reads(records) == 6


def test_it_lies_apart_from_the_records(records: Path, cache: Path) -> None:
    """Nothing is written beside the records, which may be on a network filesystem."""
    told(records)
    assert {path.suffix for path in records.iterdir()} == {".rec", ".read"}
    assert index.place(str(records)).parent == cache / "aibench"
    assert told(records / "missing") == ({}, {})


def _again(directory: str, times: int) -> None:
    for number in range(times):
        Path(directory, f"{os.getpid()}-{number}.rec").write_text("more")
        told(Path(directory))


def test_two_processes_at_once(records: Path) -> None:
    """Processes that add records and ask at the same time disturb each other's index in nothing."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_again, args=(str(records), 10)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(told(records)[0]) == 22


def test_hundreds_of_records_take_a_fraction(records: Path) -> None:
    """Asking the index of 300 records takes less than a tenth of reading 2 ms worth of each."""

    def slow(path: str) -> dict[str, Any]:
        time.sleep(0.002)
        return {"path": path}

    for number in range(300):
        (records / f"{number}.more").write_text("x")
    begin = time.perf_counter()
    index.bodies(str(records), ".more", "1", slow)
    middle = time.perf_counter()
    index.bodies(str(records), ".more", "1", slow)
    assert time.perf_counter() - middle < 0.1 * (middle - begin)
