"""Records of TFRecord files: images with their classes, each in a ``tf.train.Example``.

A record is its length, a checksum of that, the message, and a checksum of the message. The message
is put together by hand: one feature with the class, then one whose value, the image, ends it. The
index beside a file has a line "offset length" for each record, as ``tfrecord2idx`` writes it.
"""

import struct
from collections.abc import Iterator

import numpy as np

from aibench.formats.draws import Sizes64
from aibench.formats.format import Contents, Part, Payload, samples_in, sizes_in
from aibench.model import Population

#: The length and its checksum, and with them the checksum of the message.
HEADER, AROUND = 12, 16
#: What TensorFlow adds to a checksum: ``lib/hash/crc32c.h``.
_MASK_DELTA = 0xA282EAD8
_WORD = 2**32 - 1
#: Classes whose number takes two bytes, so that sizes don't depend on it.
_FIRST_CLASS, _CLASSES = 128, 872
#: Where a number gets another digit, and another seven bits.
_TENS = np.array([10**n for n in range(1, 19)], dtype=np.int64)
_SEVENS = np.array([1 << n for n in range(7, 63, 7)], dtype=np.int64)
#: Lines of an index that are put together at once.
_LINES = 4096


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _field(number: int, content: bytes, more: int = 0) -> bytes:
    """A length-delimited field, of which the last ``more`` bytes are still to come."""
    return _varint(number << 3 | 2) + _varint(len(content) + more) + content


_NAME = _field(1, b"image/encoded")


def _classes(label: int) -> bytes:
    """The feature with the class."""
    feature = _field(3, _field(1, _varint(label)))
    return _field(1, _field(1, b"image/class/label") + _field(2, feature))


def _opening(image: int, label: int) -> bytes:
    """The message with an image of so many bytes and its class, up to where the image begins."""
    found = b""
    for number, before in ((1, b""), (1, b""), (2, b""), (1, _NAME), (1, _classes(label))):
        found = _field(number, before + found, image)
    return found


_AHEAD = (0, 0, 0, len(_NAME), len(_classes(_FIRST_CLASS)))


def _lengths(samples: Sizes64) -> Sizes64:
    """The sizes of whole records: what `_opening` adds to the images, for many at once."""
    found = samples
    for ahead in _AHEAD:
        inside = found + ahead
        found = inside + 2 + np.searchsorted(_SEVENS, inside, side="right")
    return found + AROUND


def file_sizes(_population: Population, samples: Sizes64) -> Sizes64:
    """The sizes of files in bytes, one a row of ``samples``."""
    total: Sizes64 = _lengths(samples).sum(axis=1)
    return total


def _digits(numbers: Sizes64) -> Sizes64:
    return 1 + np.searchsorted(_TENS, numbers, side="right")


def index_sizes(_population: Population, samples: Sizes64) -> Sizes64:
    """The sizes in bytes of the indices beside such files."""
    lengths = _lengths(samples)
    offsets = np.cumsum(lengths, axis=1) - lengths
    total: Sizes64 = (_digits(offsets) + _digits(lengths) + 2).sum(axis=1)
    return total


def record_sizes(population: Population, file: int) -> Sizes64:
    """The sizes in bytes of the records of one file, in order."""
    lengths: Sizes64 = _lengths(sizes_in(population, np.array([file], dtype=np.int64)))[0]
    return lengths


def index(population: Population, file: int) -> Iterator[bytes]:
    """The index of one file: where each record begins and how long it is, as text."""
    lengths = record_sizes(population, file)
    offsets = np.cumsum(lengths) - lengths
    for start in range(0, len(lengths), _LINES):
        part = slice(start, start + _LINES)
        pairs = zip(offsets[part].tolist(), lengths[part].tolist(), strict=True)
        yield b"".join(b"%d %d\n" % pair for pair in pairs)


def _masked(checksum: int) -> bytes:
    rotated = (checksum >> 15 | checksum << 17) & _WORD
    return struct.pack("<I", (rotated + _MASK_DELTA) & _WORD)


def parts(population: Population, file: int, contents: Contents) -> Iterator[Part]:
    """What is in one file."""
    from google_crc32c import extend

    def message(opening: bytes, image: Payload) -> int:
        checksum: int = extend(0, opening)
        for piece in contents(image):
            checksum = extend(checksum, bytes(piece))  # it takes nothing that can be written to
        return checksum

    for image in samples_in(population, file):
        opening = _opening(image.length, _FIRST_CLASS + image.sample % _CLASSES)
        length = struct.pack("<Q", len(opening) + image.length)
        yield length + _masked(extend(0, length)) + opening
        yield image
        yield _masked(message(opening, image))


def refusal(_population: Population) -> str | None:
    """Why no file of records can be written here: there is nothing for the checksums."""
    install = "install it with: pip install 'aibench[formats]'"
    try:
        from google_crc32c import implementation
    except ImportError:
        return f"format tfrecord needs the package google-crc32c for its checksums; {install}"
    if implementation != "c":
        return "format tfrecord needs google-crc32c with its C library; here it is plain Python"
    return None
