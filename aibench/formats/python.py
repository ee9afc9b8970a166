"""How CPython's `open` and its buffered reader go to the kernel, version by version.

Up to 3.13 the buffer is the file's ``st_blksize``, and opening asks whether the file is a terminal.
From 3.14 on the buffer has 128 KiB at least and 8 MiB at most, and that question is gone, as are
a seek and a look at the size before all is read. (3.11 to 3.13: traced, and
``Modules/_io/bufferedio.c``; 3.14: from the sources, changes 117151, 120755 and 124922.)
"""

import os

from aibench.formats.format import Access

_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_NEW = (3, 14)
_LEAST, _MOST = 128 * 1024, 8 * 2**20
#: Where no file is: the null engine's.
_NO_BLOCK = 4096
#: What is asked for where the file tells no size, and from which 3.14 asks where it is.
_SMALL, _LARGE = 8192, 65536


def buffer_size(block: int, python: tuple[int, int]) -> int:
    """The bytes that a buffered reader asks for at once of a file with this ``st_blksize``."""
    if python < _NEW:
        return block
    return max(min(block, _MOST), _LEAST)


class PythonFile:
    """A file as `open` with mode ``rb`` gives it; only what goes to the kernel is done.

    Every method that reads returns how many bytes came. `asked` counts those of all its system
    calls since the file was opened. `block` is the file's ``st_blksize``: the one that the access
    gives, or the file's own where it gives 0, as it may differ from file to file and from the
    directory's (on NFS, on ZFS).
    """

    def __init__(self, access: Access) -> None:
        self._access, self._calls = access, access.calls
        self.block = access.block or _NO_BLOCK
        self._size = buffer_size(self.block, access.python)
        self._old = access.python < _NEW
        self.fd = -1
        self.asked = 0
        #: Where the kernel is; what the buffer holds up to there, and what of it is not taken.
        self._at = self._held = self._left = 0

    def open(self, name: bytes) -> None:
        """Open the file ``name``, once the one before is closed."""
        calls = self._calls
        self.fd = calls.open(name, _FLAGS, dir_fd=self._access.root)
        status = calls.fstat(self.fd)
        if not self._access.block and isinstance(status, os.stat_result):
            self._fit(status.st_blksize)
        if self._old:
            calls.isatty(self.fd)
        calls.lseek(self.fd, 0, os.SEEK_CUR)
        self.asked = self._at = self._held = self._left = 0

    def close(self) -> None:
        """Close the file."""
        fd, self.fd = self.fd, -1
        self._calls.close(fd)

    @property
    def position(self) -> int:
        """Where the next byte comes from; asks nobody."""
        return self._at - self._left

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> None:
        """Go elsewhere: within what is buffered if it is there, else by the kernel."""
        if self._left and whence != os.SEEK_END:
            step = offset if whence == os.SEEK_CUR else offset - self.position
            if self._left - self._held <= step <= self._left:
                self._left -= step
                return
        if whence == os.SEEK_CUR:
            offset -= self._left
        self._at = self._calls.lseek(self.fd, offset, whence)
        self._left = self._held = 0

    def tell(self) -> int:
        """Where the file is; asks the kernel."""
        self._calls.lseek(self.fd, 0, os.SEEK_CUR)
        return self.position

    def read(self, count: int) -> int:
        """``read(count)``: from the buffer, then whole buffers at once, then through the buffer."""
        done = min(count, self._left)
        self._left -= done
        if done == count:
            return done
        self._held = 0
        while count - done >= self._size:
            came = self._raw((count - done) // self._size * self._size)
            if came == 0:
                return done
            done += came
        while done < count and self._held < self._size:
            came = self._raw(self._size - self._held)
            if came == 0:
                break
            self._held += came
            taken = min(came, count - done)
            done, self._left = done + taken, came - taken
        return done

    def readinto(self, count: int) -> int:
        """``readinto`` of ``count`` bytes: what is more than a buffer comes at once, exactly."""
        done = min(count, self._left)
        self._left -= done
        if done < count:
            self._left = self._held = 0
        while done < count:
            direct = count - done > self._size
            came = self._raw(count - done if direct else self._size - self._held)
            if came == 0:
                break
            taken = min(came, count - done)
            done += taken
            if not direct:
                self._held, self._left = self._held + came, came - taken
        return done

    def read_all(self, size: int) -> int:
        """``read()`` to the end of a file of ``size`` bytes, from where it is."""
        done, self._left, self._held = self._left, 0, 0
        room = size + 1 if size else _SMALL
        if self._old or room > _LARGE:
            self._calls.lseek(self.fd, 0, os.SEEK_CUR)
            if 0 < size >= self._at:
                room = size - self._at + 1
            elif self._old:
                room = _SMALL
        if self._old:
            self._calls.fstat(self.fd)
        while came := self._raw(room or _SMALL):
            done, room = done + came, room - came
        return done

    def _fit(self, block: int) -> None:
        if block != self.block:
            self.block = block
            self._size = buffer_size(block, self._access.python)

    def _raw(self, count: int) -> int:
        came: int = self._calls.readv(self.fd, [self._access.view(count)])
        self.asked += came
        self._at += came
        return came
