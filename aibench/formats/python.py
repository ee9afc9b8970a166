"""How CPython's `open` and its buffered reader go to the kernel, version by version.

Up to 3.13 the buffer is the file's ``st_blksize``, and opening asks whether the file is a terminal.
From 3.14 on the buffer has 128 KiB at least and 8 MiB at most, and that question is gone, as are
a seek and a look at the size. (3.11: traced, and ``Modules/_io/bufferedio.c``; 3.14: from the
sources, changes 117151, 120755 and 124922.)
"""

import os

from aibench.formats.format import Access

_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_NEW = (3, 14)
_LEAST, _MOST = 128 * 1024, 8 * 2**20


def buffer_size(access: Access) -> int:
    """The bytes that a buffered reader asks for at once."""
    if access.python < _NEW:
        return access.block
    return max(min(access.block, _MOST), _LEAST)


class PythonFile:
    """A file as `open` with mode ``rb`` gives it; only what goes to the kernel is done.

    Every method that reads returns how many bytes came. `asked` counts those of all its system
    calls since the file was opened.
    """

    def __init__(self, access: Access) -> None:
        self._access, self._calls = access, access.calls
        self._size = buffer_size(access)
        self._old = access.python < _NEW
        self.fd = -1
        self.asked = self._left = self._held = 0

    def open(self, name: bytes) -> None:
        """Open the file ``name``, once the one before is closed."""
        calls = self._calls
        self.fd = calls.open(name, _FLAGS, dir_fd=self._access.root)
        calls.fstat(self.fd)
        if self._old:
            calls.isatty(self.fd)
        calls.lseek(self.fd, 0, os.SEEK_CUR)
        self.asked = self._left = self._held = 0

    def close(self) -> None:
        """Close the file."""
        fd, self.fd = self.fd, -1
        self._calls.close(fd)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Go elsewhere, outside of what is buffered."""
        self._calls.lseek(self.fd, offset, whence)
        self._left = self._held = 0

    def tell(self) -> None:
        """Ask where the file is."""
        self._calls.lseek(self.fd, 0, os.SEEK_CUR)

    def rewind(self) -> None:
        """Go back to where the buffer begins, which asks the kernel for nothing."""
        self._left = self._held

    def read(self, count: int) -> int:
        """``read(count)``: from the buffer, then whole buffers at once, then through the buffer."""
        done = min(count, self._left)
        self._left -= done
        while count - done >= self._size:
            came = self._raw((count - done) // self._size * self._size)
            if came == 0:
                return done
            done += came
        self._held = 0
        while done < count and self._held < self._size:
            came = self._raw(self._size - self._held)
            if came == 0:
                break
            self._held += came
            taken = min(came, count - done)
            done, self._left = done + taken, came - taken
        return done

    def read_all(self, size: int) -> int:
        """``read()`` of a file of ``size`` bytes that was just opened."""
        self.tell()
        if self._old:
            self.tell()
            self._calls.fstat(self.fd)
        done = 0
        while came := self._raw(size + 1 - done if done <= size else self._size):
            done += came
        return done

    def _raw(self, count: int) -> int:
        came: int = self._calls.readv(self.fd, [self._access.view(count)])
        self.asked += came
        return came
