"""The loop over plain files: the same in Python and compiled, whatever lies in its way."""

import errno
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench import reading
from aibench.calls import real_calls
from aibench.engines.null import NullEngine, _instant_calls
from aibench.engines.posix import PosixEngine
from aibench.probes.environment import environment
from aibench.reading import LIBRARY, ReadFiles
from aibench.workers.loops.common import FOREVER
from tests import build
from tests.engines.tracing import names as call_names
from tests.engines.tracing import requires_strace, traced
from tests.files_read import FLAGS, ROOM, both, opened, read, requires_library, stamps, written

FILES = st.lists(
    st.tuples(
        st.sampled_from([0, 1, ROOM - 1, ROOM, ROOM + 1, 3 * ROOM]) | st.integers(0, 3 * ROOM),
        st.sampled_from([0, 0, 0, 1, -1]),
    ),
    max_size=150,
)


@both
@given(files=FILES, look=st.booleans(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_all_files_are_read(
    read_files: ReadFiles, files: list[tuple[int, int]], look: bool, data: st.DataObject
) -> None:
    """From any file on, it comes back just where not as much came as there should be."""
    first = data.draw(st.integers(0, len(files)))
    lengths = [length for length, _ in files]
    sizes = [max(length + wrong, 0) for length, wrong in files]
    with tempfile.TemporaryDirectory() as place:
        names = written(place, lengths)
        with opened(place) as root:
            while True:
                before = time.perf_counter_ns()
                (k, fd, count), buffer, times = read(
                    read_files, root, names, sizes, first=first, look=look
                )
                after = time.perf_counter_ns()
                came = [min(length, ROOM) for length in lengths]
                short = [k for k in range(first, len(sizes)) if came[k] != sizes[k]]
                assert k == (short[0] if short else len(sizes))
                done = [each for row in zip(*times, strict=True) for each in row][4 * first : 4 * k]
                assert [before, *done, after] == sorted([before, *done, after])
                if not short:
                    assert (fd, count) == (-1, 0)
                    break
                assert count == came[k]
                assert buffer[:count] == bytes([k % 256]) * count
                assert os.lseek(fd, 0, os.SEEK_CUR) == count
                assert before <= times[0][k] <= times[1][k] <= after
                assert (times[2][k], times[3][k]) == (0, 0)
                os.close(fd)
                first = k + 1


@both
def test_it_stops_at_the_alarm(read_files: ReadFiles, tmp_path: Path) -> None:
    """It comes back after the first file that ends at the alarm or past it, and no later."""
    names = written(tmp_path, [5] * 200)
    sizes = [5] * 200
    with opened(tmp_path) as root:
        for first in (0, 63, 64, 199):
            said, _, times = read(read_files, root, names, sizes, first=first, alarm=0)
            assert said == (first + 1, -1, 0)
            assert times[3][first] > 0
            assert sum(map(bool, times[0])) == 1
        alarm = time.perf_counter_ns() + 300_000
        (k, fd, _), _, (*_, ends) = read(read_files, root, names * 100, sizes * 100, alarm=alarm)
        assert fd == -1
        assert ends[k - 1] >= alarm
        assert all(end < alarm for end in ends[: k - 1])


@both
@pytest.mark.parametrize("place", [0, 1, 64, 99])
def test_an_error_names_its_file(read_files: ReadFiles, tmp_path: Path, place: int) -> None:
    """A file that is gone is named; those before it were read, and nothing after it."""
    names = written(tmp_path, [5] * 100)
    (tmp_path / names[place].decode()).unlink()
    into = (memoryview(bytearray(ROOM)), *stamps(100))
    with opened(tmp_path) as root, pytest.raises(FileNotFoundError) as failed:
        read_files(root, FLAGS, False, names, [5] * 100, into, 0, FOREVER)
    assert (failed.value.errno, failed.value.filename) == (errno.ENOENT, names[place])
    for times in into[1:]:
        assert [bool(time) for time in times] == [True] * place + [False] * (100 - place)


@both
def test_a_failed_read_leaves_nothing_open(read_files: ReadFiles, tmp_path: Path) -> None:
    """A file that opens and can't be read, as a directory, is named and closed."""
    names = written(tmp_path, [5])
    (tmp_path / "d").mkdir()
    with opened(tmp_path) as root, pytest.raises(IsADirectoryError) as failed:
        read(read_files, root, [*names, b"d"], [5, 5])
    assert failed.value.filename == b"d"


@both
def test_a_bad_directory_is_an_error(read_files: ReadFiles) -> None:
    """A descriptor that is none is an error of the first file."""
    with pytest.raises(OSError, match="Bad file descriptor") as failed:
        read(read_files, 999_999, [b"f"], [5])
    assert failed.value.filename == b"f"


PROGRAM = """
import os, sys, time
from array import array
from aibench.reading import LIBRARY
from tests.files_read import PYTHON
read_files = LIBRARY.read_files if sys.argv[1] == "compiled" else PYTHON
root = os.open(sys.argv[2], os.O_RDONLY)
names = [b"d000000/f%010d" % k for k in range(100)]
into = (memoryview(bytearray(64)), *(array("q", bytes(800)) for _ in range(4)))
look, flags = sys.argv[3] == "look", os.O_RDONLY | os.O_CLOEXEC
read_files(root, flags, look, names, [5] * 100, into, 0, 2**62)
"""


@requires_library
@requires_strace
@pytest.mark.parametrize("look", ["look", "lean"])
def test_the_kernel_sees_no_difference(tmp_path: Path, look: str) -> None:
    """Both make the same system calls with the same arguments, in the same order."""
    (tmp_path / "d000000").mkdir()
    written(tmp_path / "d000000", [5] * 100)
    found = []
    for which in ("Python", "compiled"):
        log = tmp_path / f"{which}-{look}"
        log.mkdir()
        (calls,) = traced(log, PROGRAM, which, str(tmp_path), look)
        found.append([(call.name, call.text, call.result) for call in calls])
        wanted = ["openat", *["fstat"] * (look == "look"), "readv", "close"]
        assert call_names(calls) == wanted * 100
    assert found[0] == found[1]


@requires_library
def test_dry_files_all_come_whole() -> None:
    """Without system calls files have the bytes they should have, as far as the buffer goes."""
    into = (memoryview(bytearray(ROOM)), *stamps(3))
    dry = LIBRARY.dry_files if LIBRARY else None
    assert dry is not None
    before = time.perf_counter_ns()
    assert dry(-1, 0, True, [b"x"] * 3, [0, ROOM, ROOM + 1], into, 0, FOREVER) == (2, 0, ROOM)
    after = time.perf_counter_ns()
    done = [row[k] for k in (0, 1) for row in into[1:]] + [into[1][2], into[2][2]]
    assert [before, *done, after] == sorted([before, *done, after])
    assert dry(-1, 0, True, [b"x"] * 3, [0, 0, 0], into, 0, 0) == (1, -1, 0)


@requires_library
def test_the_compiled_loop_stands_for_its_own_calls_alone() -> None:
    """Where one of the calls is another one, the loop in Python makes them all."""
    for calls in (real_calls(), _instant_calls(build.population())):
        assert calls.compiled is not None
        assert calls.read_files is calls.compiled.read_files
        assert replace(calls, write=print).read_files is calls.read_files
        for name in ("clock", "open", "fstat", "readv", "close"):
            assert replace(calls, **{name: print}).read_files is not calls.read_files


def test_replaced_calls_are_made(tmp_path: Path) -> None:
    """Each call that was replaced is made for each file, in its turn."""
    names, made = written(tmp_path, [5] * 3), []
    real = real_calls()

    def noted(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            made.append(name)
            return getattr(real, name)(*arguments, **named)

        return call

    own = {name: noted(name) for name in ("open", "fstat", "readv", "close")}
    with opened(tmp_path) as root:
        read(replace(real, **own).read_files, root, names, [5] * 3)
    assert made == ["open", "fstat", "readv", "close"] * 3


def test_a_library_that_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another promise, one that can't be loaded and none at all: each is told apart."""
    source = (Path(reading.__file__).parent / "_reading.c").read_text()
    assert re.findall(r"#define PROMISE (\d+)", source) == [str(reading.PROMISE)]
    old = SimpleNamespace(PROMISE=reading.PROMISE - 1, __file__="/x/_reading.so")
    monkeypatch.setitem(sys.modules, "aibench._reading", old)  # type: ignore[arg-type]
    assert reading._library() == (None, "/x/_reading.so was built from another source")
    monkeypatch.setitem(sys.modules, "aibench._reading", None)  # type: ignore[arg-type]
    assert reading._library() == (None, "nothing was compiled when aibench was installed")

    def broken(_name: str) -> Any:
        raise ImportError("undefined symbol: x")

    monkeypatch.setattr(reading, "import_module", broken)
    assert reading._library() == (None, "undefined symbol: x")


def test_records_say_how_files_are_read() -> None:
    """The client's facts and the versions of engines say whether the loop was compiled."""
    assert environment().metadata["loops"] == ("compiled" if LIBRARY else "Python")
    for engine in (NullEngine(), PosixEngine()):
        assert str(engine.version()).endswith(", compiled loops") == (LIBRARY is not None)
