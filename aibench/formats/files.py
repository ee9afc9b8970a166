"""Plain files, one a sample or shard: names and sizes follow from the index alone."""

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from aibench.formats.mixing import key, mix
from aibench.model import Population, Sizes

#: Size classes of a distribution; the index picks one by `mix`.
_CLASSES = 4096
_HALVINGS = 120
#: Beyond this many files the total is the expectation, not the sum: for photographs they differ by
#: less than 0.1 %, for the widest spread that a workload can ask for by a few per cent.
_COUNTED = 4_000_000
_GRANULE_BYTES = 16 * 2**20
#: What filesystems allocate at least for a file, and about how many names fit into as much.
_BLOCK = 4096
_NAMES_PER_BLOCK = 100

Sizes64 = NDArray[np.int64]

#: The digits of small numbers as the bytes of one integer: one gather writes four digits.
_FOUR = np.frombuffer(b"".join(b"%04d" % n for n in range(10_000)), dtype=np.uint32)
_TWO = np.frombuffer(b"".join(b"%02d" % n for n in range(100)), dtype=np.uint16)
#: ``d``, six digits, ``/f``, ten digits: 19 bytes; names beyond have more digits.
_DIRECTORIES, _INDICES = 10**6, 10**10
_PATH = np.dtype(
    [
        ("d", "S1"),
        ("d2", "u2"),
        ("d4", "u4"),
        ("f", "S2"),
        ("f2", "u2"),
        ("f4", "u4"),
        ("f44", "u4"),
    ]
)


def path_of(population: Population, index: int) -> str:
    """The path of file ``index`` below the population's directory."""
    return f"d{index // population.files_per_directory:06d}/f{index:010d}"


def renamed_path_of(population: Population, index: int) -> str:
    """What the metadata workload renames file ``index`` to."""
    return f"d{index // population.files_per_directory:06d}/r{index:010d}"


def paths_of(population: Population, indices: Sizes64) -> list[bytes]:
    """The paths of many files, as the system calls want them."""
    directories = indices // population.files_per_directory
    if len(indices) and (indices.max() >= _INDICES or directories.max() >= _DIRECTORIES):
        return [path_of(population, index).encode() for index in indices.tolist()]
    text = np.empty(len(indices), dtype=_PATH)
    text["d"], text["f"] = b"d", b"/f"
    text["d2"], text["d4"] = _TWO[directories // 10_000], _FOUR[directories % 10_000]
    upper = indices // 10_000
    text["f44"], text["f4"] = _FOUR[indices % 10_000], _FOUR[upper % 10_000]
    text["f2"] = _TWO[upper // 10_000]
    paths: list[bytes] = text.view("S19").tolist()
    return paths


def directory_count(population: Population) -> int:
    """How many directories the files lie in."""
    return -(-population.files // population.files_per_directory)


def granule(population: Population) -> int:
    """How many files are generated, and noted as done, together: at most 1000, or 16 MiB."""
    fitting = _GRANULE_BYTES // max(population.sizes.mean, 1)
    return max(1, min(population.files_per_directory, fitting, 1000))


@lru_cache(maxsize=64)
def size_classes(sizes: Sizes) -> Sizes64:
    """The size in bytes of each class; their mean is that of ``sizes``, to the byte."""
    if sizes.distribution == "fixed":
        return np.full(_CLASSES, sizes.mean, dtype=np.int64)
    normal = NormalDist()
    deviations = np.array([normal.inv_cdf((i + 0.5) / _CLASSES) for i in range(_CLASSES)])
    shape = np.exp(sizes.sigma * deviations)
    low, high = 0.0, sizes.largest / float(shape[0])  # here all of them would be the largest
    for _ in range(_HALVINGS):
        median = (low + high) / 2
        if np.clip(median * shape, sizes.smallest, sizes.largest).mean() < sizes.mean:
            low = median
        else:
            high = median
    table = np.clip(np.rint(high * shape), sizes.smallest, sizes.largest).astype(np.int64)
    excess = int(table.sum()) - sizes.mean * _CLASSES
    movable = np.flatnonzero(table > sizes.smallest if excess > 0 else table < sizes.largest)
    table[movable[: abs(excess)]] -= np.sign(excess)
    return table


def size_salt(population: Population) -> int:
    """What is added to a file's index before `mix` picks its size class by the top 12 bits."""
    return key(population.seed, 0x73697A65)


def sizes_of(population: Population, indices: Sizes64) -> Sizes64:
    """The sizes in bytes of many files."""
    table = size_classes(population.sizes)
    if population.sizes.distribution == "fixed":
        return np.full(len(indices), population.sizes.mean, dtype=np.int64)
    start = np.uint64(size_salt(population))
    return table[(mix(start + indices.astype(np.uint64)) >> np.uint64(52)).astype(np.int64)]


def size_of(population: Population, index: int) -> int:
    """The size in bytes of file ``index``."""
    return int(sizes_of(population, np.array([index], dtype=np.int64))[0])


def largest_size(population: Population) -> int:
    """The largest size in bytes that a file of ``population`` can have."""
    return int(size_classes(population.sizes).max())


def space_bytes(population: Population) -> int:
    """The space that all files and directories take, in blocks of 4 KiB; the expectation."""
    blocks = -(-size_classes(population.sizes) // _BLOCK)
    names = _BLOCK * (directory_count(population) + population.files // _NAMES_PER_BLOCK)
    return int(population.files * _BLOCK * blocks.mean()) + names


@lru_cache(maxsize=64)
def total_bytes(population: Population) -> int:
    """The bytes of all files; exact up to 4 million files, the expectation beyond."""
    if population.sizes.distribution == "fixed" or population.files > _COUNTED:
        return population.files * population.sizes.mean
    total = 0
    for start in range(0, population.files, 2**18):
        stop = min(start + 2**18, population.files)
        total += int(sizes_of(population, np.arange(start, stop, dtype=np.int64)).sum())
    return total
