"""How Python's `zipfile` reads an archive of files that are stored as they are."""

import os
import struct

from aibench.formats.python import PythonFile

#: What stands before a file, what the directory has of it, and what ends the archive.
LOCAL, CENTRAL = struct.Struct("<4s5H3L2H"), struct.Struct("<4s4B4H3L5H2L")
END = struct.Struct("<4s4H2LH")
#: `numpy` always has `zipfile` reserve room for sizes from 4 GiB on.
EXTRA = struct.Struct("<2H2Q")

#: `zipfile` reads at least so much of a member, and looks so far back for another kind of end.
_AT_LEAST, _LOCATOR = 4096, 20


def read_directory(file: PythonFile, size: int, directory: int) -> None:
    """``ZipFile(file)`` of an open file of ``size`` bytes: the end, then ``directory`` bytes."""
    file.seek(0, os.SEEK_END)
    file.tell()
    file.seek(-END.size, os.SEEK_END)
    file.read_all(size)
    file.seek(-END.size - _LOCATOR, os.SEEK_END)
    file.read(_LOCATOR)
    file.seek(size - END.size - directory)
    file.read(directory)


class Member:
    """``ZipFile.open(name)``: the header at ``start``, then ``size`` bytes, 4 KiB at least."""

    def __init__(self, file: PythonFile, start: int, size: int, name: int, extra: int) -> None:
        self._file, self._at = file, start
        for count in (LOCAL.size, name, extra):
            self._shared(count)
        self._left, self._held = size, 0

    def read(self, count: int) -> None:
        """``read(count)``: from what is held, then from the file."""
        taken = min(count, self._held)
        self._held -= taken
        while (count := count - taken) > 0 and self._left > 0:
            came = self._shared(min(max(count, _AT_LEAST), self._left))
            if came == 0:
                return
            taken = min(came, count)
            self._left, self._held = self._left - came, came - taken

    def rewind(self, count: int) -> None:
        """Go back by ``count`` bytes that were read and are still held."""
        self._held += count

    def _shared(self, count: int) -> int:
        """Members share the file: each goes to its place before it reads, and asks where it is."""
        self._file.seek(self._at)
        came = self._file.read(count)
        self._at += came
        self._file.tell()
        return came
