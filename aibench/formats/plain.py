"""Plain files: the payload and nothing else, one sample a file."""

from collections.abc import Iterator

from aibench.formats.draws import Sizes64
from aibench.formats.format import Access, Contents, Format, Part, Reading, samples_in
from aibench.formats.python import PythonFile
from aibench.formats.readers import FILE_READERS, FileReader
from aibench.model import Population

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


FORMAT = Format(
    name="files",
    summary="one sample a file, the payload and nothing else",
    file_sizes=_sizes,
    parts=_parts,
    readers=FILE_READERS | {"pil": Reading(make=read_pil, summary="PIL.Image.open(path)")},
)
