"""The zip files of `torch.save`, record by record, in the pieces in which they are written.

As of torch 2.13: nothing is compressed, the bytes of each record begin at a multiple of 64, its
checksum comes after them, and what is beyond 4 GiB is told in the way of zip64. The id that the
library makes of names and checksums is one of ours; nothing reads it.
(``caffe2/serialize/inline_container.cc`` and miniz; compared byte by byte.)
"""

import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aibench.formats.format import Contents, Part, Payload
from aibench.formats.tensors import Storage, named, pickled, tensor_name

ALIGNMENT = 64
_LOCAL, _CENTRAL = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L")
_END64, _LOCATOR, _END = (
    struct.Struct("<4sQ2H2L4Q"),
    struct.Struct("<4sLQL"),
    struct.Struct("<4s4H2LH"),
)
#: Bytes at the end of every archive: the three records above.
ENDING = _END64.size + _LOCATOR.size + _END.size
#: Names are UTF-8, and sizes come after the bytes.
_FLAGS, _MADE, _NEEDED = 0x0808, 0x031E, 0x2D
_MOST16, _MOST32 = 0xFFFF, 0xFFFFFFFF
_BEFORE = ((".format_version", b"1"), (".storage_alignment", b"64"), ("byteorder", b"little"))
_VERSION, _ID, _ID_SIZE = ("version", b"3\n"), ".data/serialization_id", 40

_rebuild = named("torch._utils", "_rebuild_tensor_v2")
_bytes = named("torch", "ByteStorage")


@dataclass(frozen=True, slots=True)
class Record:
    """One record: where its header, its bytes and what follows it begin."""

    name: bytes
    header: int
    data: int
    size: int

    @property
    def large(self) -> tuple[int, ...]:
        """What has no place in 32 bits: twice the size, the offset of the header."""
        sizes = (self.size, self.size) if self.size >= _MOST32 else ()
        return sizes + ((self.header,) if self.header >= _MOST32 else ())

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.data + self.size + (24 if self.large else 16)


@dataclass(frozen=True, slots=True)
class Archive:
    """The records of an archive, from its pickle to its id, and its size in bytes."""

    records: tuple[Record, ...]
    directory: int
    size: int

    @property
    def tensors(self) -> tuple[Record, ...]:
        """The records of the storages."""
        return self.records[1 + len(_BEFORE) : -2]


class _Tensor:
    """A tensor as torch pickles it: how it is rebuilt from its storage."""

    def __init__(self, key: str, size: int) -> None:
        self._arguments: tuple[object, ...] = (
            Storage("storage", _bytes, key, "cpu", size),
            0, (size,), tuple([1]), False, OrderedDict(),  # noqa: C409 - one that no other one is
        )  # fmt: skip

    def __reduce_ex__(self, _protocol: object) -> tuple[type, tuple[object, ...]]:
        return _rebuild, self._arguments


@lru_cache(maxsize=16)
def state_pickle(sizes: tuple[int, ...]) -> bytes:
    """The pickle of a state: a dictionary of tensors by name."""
    tensors = {tensor_name(k): _Tensor(str(k), size) for k, size in enumerate(sizes)}
    return pickled(tensors, 2)


@lru_cache(maxsize=256)
def tensor_pickle(size: int) -> bytes:
    """The pickle of one tensor."""
    return pickled(_Tensor("0", size), 2)


@lru_cache(maxsize=64)
def layout(stem: bytes, pickle_size: int, sizes: tuple[int, ...]) -> Archive:
    """Where everything is in an archive of that name, with tensors of these sizes."""
    named_sizes = [
        ("data.pkl", pickle_size), *((name, len(data)) for name, data in _BEFORE),
        *((f"data/{k}", size) for k, size in enumerate(sizes)),
        (_VERSION[0], len(_VERSION[1])), (_ID, _ID_SIZE),
    ]  # fmt: skip
    records = []
    at = directory = 0
    for name, size in named_sizes:
        full = stem + b"/" + name.encode()
        large = len(Record(full, at, 0, size).large)
        start = at + _LOCAL.size + len(full) + 4 + (4 + 8 * large if large else 0)
        records.append(Record(full, at, -(-start // ALIGNMENT) * ALIGNMENT, size))
        at = records[-1].end
        directory += _CENTRAL.size + len(full) + (4 + 8 * large if large else 0)
    return Archive(tuple(records), at, at + directory + ENDING)


def _large(values: Sequence[int]) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values) if values else b""


def _before(record: Record) -> Iterator[bytes]:
    """What comes before the bytes of a record."""
    values = list(record.large)
    if record.size >= _MOST32:
        values[1] = 0  # not known before the bytes are written
    large = _large(values)
    padding = record.data - record.header - _LOCAL.size - len(record.name) - len(large)
    extra = len(large) + padding
    yield _LOCAL.pack(b"PK\3\4", 0, _FLAGS, 0, 0, 0, 0, 0, 0, len(record.name), extra)
    yield record.name
    if large:
        yield large
    yield b"FB" + struct.pack("<H", padding - 4) + b"Z" * (padding - 4)


def _after(record: Record, checksum: int) -> bytes:
    """What comes after the bytes of a record."""
    widths = "2Q" if record.large else "2L"
    return struct.pack(f"<4sL{widths}", b"PK\7\10", checksum, record.size, record.size)


def _central(record: Record, checksum: int) -> bytes:
    large = _large(record.large)
    size, header = min(record.size, _MOST32), min(record.header, _MOST32)
    entry = _CENTRAL.pack(
        b"PK\1\2", 0, 0, _FLAGS, 0, 0, 0, checksum, size, size, len(record.name), len(large),
        0, 0, 0, 0, header,
    )  # fmt: skip
    return entry + record.name + large


def parts(
    archive: Archive, pickle: bytes, tensors: Sequence[Payload], contents: Contents
) -> Iterator[Part]:
    """The archive in the pieces in which it is written, one write of the library each."""
    held: list[Part] = [pickle, *(data for _, data in _BEFORE), *tensors, _VERSION[1]]
    checksums: list[int] = []
    for record, data in zip(archive.records[:-1], held, strict=True):
        checksums.append(_checksum(data, contents))
        yield from _before(record)
        yield data
        yield _after(record, checksums[-1])
    ident = b"%020d%020d" % (
        len(tensors),
        zlib.crc32(struct.pack(f"<{len(checksums)}L", *checksums)),
    )
    checksums.append(zlib.crc32(ident))
    yield from _before(archive.records[-1])
    yield ident
    yield _after(archive.records[-1], checksums[-1])
    yield b"".join(map(_central, archive.records, checksums))
    yield from _ending(archive)


def _checksum(data: Part, contents: Contents) -> int:
    found = 0
    for piece in contents(data) if isinstance(data, Payload) else (data,):
        found = zlib.crc32(piece, found)
    return found


def _ending(archive: Archive) -> Iterator[bytes]:
    count, start = len(archive.records), archive.directory
    end = archive.size - ENDING
    size = end - start
    yield _END64.pack(b"PK\6\6", 44, _MADE, _NEEDED, 0, 0, count, count, size, start)
    yield _LOCATOR.pack(b"PK\6\7", 0, end, 1)
    few, size, start = min(count, _MOST16), min(size, _MOST32), min(start, _MOST32)
    yield _END.pack(b"PK\5\6", 0, 0, few, few, size, start, 0)
