"""JPEG images of exactly the wanted size, made without encoding anything.

Their scans are put together from `scans`; a comment takes the bytes that are left over.
"""

import struct
from collections.abc import Iterator

from aibench.formats.draws import Sizes64, size_classes
from aibench.formats.format import Contents, Format, Part, Payload, Reading, samples_in
from aibench.formats.npy import one_sample
from aibench.formats.plain import read_pil
from aibench.formats.readers import FILE_READERS
from aibench.formats.scans import AC, DC, MARKER, SEGMENT, UNITS, segments
from aibench.model import Population

_STEP = 3  # all coefficients are quantized alike, as in photographs of high quality
_ROWS, _COLUMNS = 4095, 8  # units of an image: at most downwards, at least across
#: Beyond, Pillow takes an image for an attack: more than 89 million pixels.
_LARGEST = 32 * 2**20
#: So much of a comment goes before the image, where readers find it in their first buffer.
_COMMENT = 3200


def _table(kind: int, table: tuple[tuple[int, ...], tuple[int, ...]]) -> bytes:
    lengths, values = table
    return bytes([kind, *lengths, *[0] * (16 - len(lengths)), *values])


def _marked(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _before(width: int, height: int, comment: bytes) -> bytes:
    """All that stands before the first segment."""
    parts = b"".join(bytes([part, 0x22 if part == 1 else 0x11, 0]) for part in (1, 2, 3))
    return b"".join(
        (
            b"\xff\xd8",
            _marked(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
            comment,
            _marked(0xDB, bytes([0, *[_STEP] * 64])),
            _marked(0xC0, struct.pack(">BHHB", 8, height, width, 3) + parts),
            _marked(0xC4, _table(0x00, DC) + _table(0x10, AC)),
            _marked(0xDD, struct.pack(">H", UNITS)),
            _marked(0xDA, b"\3\1\0\2\0\3\0\0\x3f\0"),
        )
    )


_AROUND = len(_before(0, 0, b""))
_SMALLEST = _AROUND + SEGMENT


def _shape(count: int) -> tuple[int, int]:
    """(units across, units downwards) of an image of at most so many segments, nearly all."""
    across = 1 + (count >= 12) + (count >= 48)
    across = max(across, -(-count // _ROWS))
    return across * _COLUMNS, count // across


def _refusal(population: Population) -> str | None:
    sizes = size_classes(population.sizes)
    if sizes.min() < _SMALLEST or sizes.max() > _LARGEST:
        return f"an image of format 'jpeg' has {_SMALLEST} B to {_LARGEST // 2**20} MiB"
    return one_sample(population)


def _sizes(_population: Population, samples: Sizes64) -> Sizes64:
    return samples[:, 0]


def _comment(payload: Payload, length: int, contents: Contents) -> bytes:
    """``length`` bytes that say nothing: a comment, or what may precede a marker."""
    if length < 4:
        return b"\xff" * length
    text = next(contents(Payload(payload.sample, length - 4)), b"")
    return _marked(0xFE, bytes(text))


def _parts(population: Population, file: int, contents: Contents) -> Iterator[Part]:
    (payload,) = samples_in(population, file)
    across, down = _shape((payload.length - _AROUND) // SEGMENT)
    count = across // _COLUMNS * down
    left = payload.length - _AROUND - count * SEGMENT
    comment = _comment(payload, min(left, _COMMENT), contents)
    yield _before(16 * across, 16 * down, comment)
    first = 0
    for piece in contents(Payload(payload.sample, count * SEGMENT)):  # in whole segments
        rows = len(piece) // SEGMENT
        data = segments(piece, payload.sample, first)
        first += rows
        if first < count:
            yield data.tobytes()
        else:  # the last one ends with the image, and with what has found no place
            yield data.tobytes()[:-MARKER] + b"\xff" * (left - len(comment)) + b"\xff\xd9"


FORMAT = Format(
    name="jpeg",
    summary="JPEG images that decode, one a file, of exactly the size of the sample",
    file_sizes=_sizes,
    parts=_parts,
    refusal=_refusal,
    readers={
        "pil": Reading(make=read_pil, summary="PIL.Image.open(path).convert('RGB')"),
        **FILE_READERS,
    },
)
