"""Documents of tokens with an index beside them, as Megatron trains language models on.

A file holds the tokens of all its documents, and its index (``.idx``) tells where each of them is.
What is read is a window of tokens over the shuffled documents, and one more token for what comes
next: mostly pieces of one or two documents, anywhere in the file.
"""

from collections.abc import Iterator

import numpy as np

from aibench.formats.documents import STRETCH, file_size, index, index_size, windows_in_file
from aibench.formats.draws import Sizes64
from aibench.formats.format import Contents, Format, Part, Payload, Reading, Sidecar
from aibench.formats.windows import read_mapped, read_pieces
from aibench.model import Population

#: Each file is mapped, and stays so.
_MOST_FILES = 256


def _sizes(population: Population, samples: Sizes64) -> Sizes64:
    return np.full(len(samples), file_size(population), dtype=np.int64)


def _parts(population: Population, file: int, _contents: Contents) -> Iterator[Part]:
    yield Payload(file, file_size(population))


def _index_sizes(population: Population, samples: Sizes64) -> Sizes64:
    return np.full(len(samples), index_size(population), dtype=np.int64)


def _windows(population: Population, window: int) -> int:
    return population.files * windows_in_file(population, window)


def _refusal(population: Population) -> str | None:
    each = population.samples_per_file
    if each > STRETCH and each % STRETCH:
        return (
            f"a file of format indexed holds up to {STRETCH} documents or a multiple of that, not "
            f"samples_per_file = {each}"
        )
    if population.files > _MOST_FILES:
        return (
            f"format indexed keeps all files open: at most {_MOST_FILES} of them, not "
            f"{population.files}; put more documents into each (samples_per_file)"
        )
    return None


FORMAT = Format(
    name="indexed",
    summary="documents of tokens with an index beside them, read in windows of tokens",
    file_sizes=_sizes,
    parts=_parts,
    readers={
        "mmap": Reading(make=read_mapped, summary="Megatron: windows out of a mapped file"),
        "file": Reading(make=read_pieces, summary="Megatron without mmap: open, seek, read"),
    },
    refusal=_refusal,
    sidecars={".idx": Sidecar(sizes=_index_sizes, parts=index)},
    windows=_windows,
)
