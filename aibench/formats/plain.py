"""Plain files: the payload and nothing else, one sample a file."""

import os
from collections.abc import Generator, Iterator, Sequence
from functools import partial

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Contents, Format, Part, Reading, samples_in
from aibench.formats.python import PythonFile
from aibench.formats.readers import FILE_READERS, FileReader, name_of, read_whole
from aibench.formats.slicing import by_file, runs
from aibench.model import Population, Slice

#: How much of an image Pillow looks at to identify it, and its decoder's ``ImageFile.MAXBLOCK``.
_PIL_PREFIX, _PIL_UNIT = 16, 65536


def _sizes(_population: Population, samples: Sizes64) -> Sizes64:
    return samples[:, 0]


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    yield from samples_in(population, file)


def read_pil(access: Access) -> FileReader:
    """``Image.open(path).convert("RGB")``: a first buffer, then 64 KiB at a time to the end."""
    file = PythonFile(access)

    def read(name: bytes, size: int) -> int:
        file.open(name)
        file.seek(0)
        file.read(_PIL_PREFIX)
        file.seek(0)  # identified; what the header takes is read again with the rest
        done = 0
        while done < size and (came := file.read(_PIL_UNIT)):
            done += came
        file.close()
        return min(file.asked, size)  # less than a prefix is read again

    return FileReader(access, read)


class PlainReader(FileReader):
    """Reads files whole, or parts of them: open, where it ``looks`` fstat, pread, close."""

    def __init__(self, access: Access, *, looks: bool) -> None:
        super().__init__(access, read_whole(access, looks=looks))
        self._access, self._looks = access, looks

    def slices(self, needed: Sequence[Slice]) -> Generator[int]:
        """Read parts of files, ``io_size`` at a time; yields the bytes of each file."""
        access, calls = self._access, self._access.calls
        for self.file, parts in by_file(needed):
            name, done = name_of(access.population, self.file), 0
            fd = calls.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=access.root)
            if self._looks:
                calls.fstat(fd)
            for run in (run for part in parts for run in runs(access.population, part)):
                done += self._pread(fd, run.start, run.length)
            calls.close(fd)
            yield done

    def _pread(self, fd: int, offset: int, length: int) -> int:
        done = 0
        while done < length:
            view = self._access.view(min(self._access.io_size, length - done))
            came: int = self._access.calls.pread(fd, [view], offset + done)
            if came == 0:
                break
            done += came
        return done


def _sliced(name: str) -> Reading:
    """The reader of that name, which can read parts of files too."""
    made = partial(PlainReader, looks=name == "stat")
    return Reading(make=made, summary=FILE_READERS[name].summary)


FORMAT = Format(
    name="files",
    summary="one sample a file, the payload and nothing else",
    file_sizes=_sizes,
    parts=_parts,
    readers=FILE_READERS
    | {"stat": _sliced("stat"), "lean": _sliced("lean")}
    | {"pil": Reading(make=read_pil, summary="PIL.Image.open(path)")},
)
