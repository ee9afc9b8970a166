"""What tensorstore puts into the manifest and the B+tree nodes of an OCDBT database.

As tensorstore 0.1.86 writes them without compression, and compared byte by byte with what it wrote:
numbers are varints, tables stand column by column, each block has a magic number, its length and a
CRC-32C.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

_MANIFEST, _NODE = bytes.fromhex("0cdb3a2a"), bytes.fromhex("0cdb20de")
#: The settings of a database that tensorstore takes where none are given.
_INLINE, _LARGEST_NODE, _ARITY_LOG2 = 100, 8 * 2**20, 4
#: Where a tree without keys is said to be.
_NOWHERE = 2**64 - 1
_CASTAGNOLI = 0x82F63B78


@dataclass(frozen=True, slots=True)
class Value:
    """A key, and where its value of ``length`` bytes is."""

    key: str
    file: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node is that holds so many ``keys``, the first and the last of which are known."""

    first: str
    last: str
    file: str
    offset: int
    length: int
    keys: int
    tree_bytes: int
    value_bytes: int


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_CASTAGNOLI if byte & 1 else 0)  # noqa: PLW2901
        found.append(byte)
    return tuple(found)


def crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of ``data``; for nodes, which are small."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _column(numbers: Iterable[int]) -> bytes:
    return b"".join(map(_varint, numbers))


def _framed(magic: bytes, body: bytes) -> bytes:
    """A block: magic number, length of all, version 0, compression none, body, checksum."""
    length = len(magic) + 8 + 2 + len(body) + 4
    block = magic + length.to_bytes(8, "little") + b"\0\0" + body
    return block + crc32c(block).to_bytes(4, "little")


def _shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((k for k, (a, b) in pairs if a != b), min(len(one), len(other)))


def _files(names: Sequence[str]) -> bytes:
    """The table of files: what each name shares with the one before, and the rest of it."""
    shared = [_shared(one, other) for one, other in pairwise(names)]
    rests = [name[start:].encode() for name, start in zip(names, [0, *shared], strict=True)]
    sizes = _column(shared) + _column(map(len, rests)) + _column([0] * len(names))
    return _varint(len(names)) + sizes + b"".join(rests)


def _keys(keys: Sequence[str], common: Sequence[int] = ()) -> bytes:
    """The table of keys; ``common`` is how many characters all keys below each entry share."""
    shared = [_shared(one, other) for one, other in pairwise(keys)]
    rests = [key[start:].encode() for key, start in zip(keys, [0, *shared], strict=True)]
    return _column(shared) + _column(map(len, rests)) + _column(common) + b"".join(rests)


def _numbers(files: Sequence[str]) -> tuple[list[str], dict[str, int]]:
    names = sorted(set(files))
    return names, {name: number for number, name in enumerate(names)}


def leaf(values: Sequence[Value], stripped: int = 0) -> bytes:
    """A node with these values in the order of their keys, without the first characters of each."""
    names, number = _numbers([value.file for value in values])
    body = b"\0" + _files(names) + _varint(len(values))
    body += _keys([value.key[stripped:] for value in values])
    body += _column(value.length for value in values) + _column(1 for _ in values)
    body += _column(number[value.file] for value in values)
    body += _column(value.offset for value in values)
    return _framed(_NODE, body)


def root(nodes: Sequence[Node]) -> bytes:
    """A node above leaves, in the order of their keys; each has its `common` prefix stripped."""
    names, number = _numbers([node.file for node in nodes])
    body = b"\1" + _files(names) + _varint(len(nodes))
    body += _keys([node.first for node in nodes], [common(node.first, node.last) for node in nodes])
    body += _column(number[node.file] for node in nodes)
    body += _column(node.offset for node in nodes) + _column(node.length for node in nodes)
    body += _statistics(nodes)
    return _framed(_NODE, body)


def common(first: str, last: str) -> int:
    """How many characters all keys between two share."""
    return _shared(first, last)


def _statistics(nodes: Sequence[Node]) -> bytes:
    keys = _column(node.keys for node in nodes)
    trees = _column(node.tree_bytes for node in nodes)
    return keys + trees + _column(node.value_bytes for node in nodes)


def manifest(uuid: bytes, top: Node, height: int, written_ns: int) -> bytes:
    """What says where the tree is: an empty first version, and one with all keys."""
    empty = Node("", "", "", _NOWHERE, _NOWHERE, 0, 0, 0)
    nodes = (empty, top)
    config = _column((0, _INLINE, _LARGEST_NODE)) + bytes([_ARITY_LOG2]) + _varint(0)
    body = uuid + config + _files(["", top.file]) + _varint(len(nodes)) + _column((1, 2))
    body += bytes([0, height]) + _column((0, 1))
    body += _column(node.offset for node in nodes) + _column(node.length for node in nodes)
    body += _statistics(nodes)
    body += b"".join((written_ns + k).to_bytes(8, "little") for k in range(len(nodes)))
    body += _varint(0)
    return _framed(_MANIFEST, body)
