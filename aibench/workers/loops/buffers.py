"""What stands between a library and the kernel when it saves: which pieces become which calls.

A library writes piece by piece; a buffer holds small ones back and passes large ones on. Each
buffer gives a list of views to ``put``, which writes them with one call.
"""

from collections.abc import Callable
from typing import Protocol

from aibench.formats.python import buffer_size

Put = Callable[[list[memoryview]], None]

#: libstdc++, ``basic_filebuf::xsputn``: BUFSIZ less one, and the size from which both are written.
_STREAM, _CHUNK = 8191, 1024
#: safetensors 0.8: the capacity of its ``BufWriter``, by the sizes of its calls.
_RUST = 2**20


class Buffer(Protocol):
    """Takes the pieces of one file."""

    def write(self, piece: memoryview) -> None:
        """One write of the library."""

    def flush(self) -> None:
        """Put what is held."""


class _Held:
    """Pieces that are held back, one after the other in ``size`` bytes."""

    def __init__(self, put: Put, size: int) -> None:
        self._put, self._size = put, size
        self._room = memoryview(bytearray(size))
        self._count = 0

    def _hold(self, piece: memoryview) -> None:
        end = self._count + len(piece)
        self._room[self._count : end] = piece
        self._count = end

    def flush(self) -> None:
        """Put what is held."""
        if self._count:
            self._put([self._room[: self._count]])
            self._count = 0


class StreamBuffer(_Held):
    """A C++ file stream: what is large goes out together with what is held."""

    def __init__(self, put: Put) -> None:
        super().__init__(put, _STREAM)

    def write(self, piece: memoryview) -> None:
        """One write of the library."""
        if len(piece) >= min(_CHUNK, self._size - self._count):
            held, self._count = self._room[: self._count], 0
            self._put([held, piece])
        else:
            self._hold(piece)


class PythonBuffer(_Held):
    """A file of Python: what does not fit is written after what is held, if it is large."""

    def __init__(self, put: Put, block: int, python: tuple[int, int]) -> None:
        super().__init__(put, buffer_size(block, python))

    def write(self, piece: memoryview) -> None:
        """One write of the library."""
        if len(piece) > self._size - self._count:
            self.flush()
        if len(piece) > self._size:
            self._put([piece])
        else:
            self._hold(piece)


class RustBuffer(_Held):
    """Rust's ``BufWriter``: as much, but what fills it to the last byte goes out."""

    def __init__(self, put: Put) -> None:
        super().__init__(put, _RUST)

    def write(self, piece: memoryview) -> None:
        """One write of the library."""
        if len(piece) > self._size - self._count:
            self.flush()
        if len(piece) >= self._size:
            self._put([piece])
        else:
            self._hold(piece)


class Unbuffered:
    """Every piece is written as it comes."""

    def __init__(self, put: Put) -> None:
        self._put = put

    def write(self, piece: memoryview) -> None:
        """One write of the library."""
        self._put([piece])

    def flush(self) -> None:
        """Nothing is held."""


def buffer_named(name: str, put: Put, block: int, python: tuple[int, int]) -> Buffer:
    """The buffer that `formats.format.Saving` names; none for an empty name."""
    if name == "python":
        return PythonBuffer(put, block, python)
    if name == "stream":
        return StreamBuffer(put)
    return RustBuffer(put) if name == "rust" else Unbuffered(put)
