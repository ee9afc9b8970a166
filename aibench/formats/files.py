"""The files of a population: names and sizes follow from the index alone, in every format."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from aibench.formats.draws import Sizes64, sample_sizes, size_classes
from aibench.formats.format import format_of, sizes_in
from aibench.model import Population

#: Beyond this many samples the total is an expectation, not the sum: for photographs they differ by
#: less than 0.1 %, for the widest spread that a workload can ask for by a few per cent.
_COUNTED = 4_000_000
_GRANULE_BYTES = 16 * 2**20
#: What filesystems allocate at least for a file, and about how many names fit into as much.
_BLOCK = 4096
_NAMES_PER_BLOCK = 100

#: Files whose sizes are worked out at once, and from which an expectation is taken.
_AT_ONCE = 2**12
#: Files of which it is worked out how large the ones beside them are.
_LOOKED_AT = 16

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


def suffixes_of(population: Population) -> tuple[str, ...]:
    """What each number's files have after their names: nothing, and what lies beside them."""
    if population.format == "files":
        return ("",)
    return ("", *format_of(population).sidecars)


def all_paths_of(population: Population, index: int) -> Iterator[str]:
    """The path of file ``index``, and of each file that lies beside it."""
    path = path_of(population, index)
    return (path + suffix for suffix in suffixes_of(population))


def file_count(population: Population) -> int:
    """How many files there are, with those that lie beside others."""
    return population.files * len(suffixes_of(population))


def directory_count(population: Population) -> int:
    """How many directories the files lie in."""
    return -(-population.files // population.files_per_directory)


def granule(population: Population) -> int:
    """How many files are generated, and noted as done, together: at most 1000, or 16 MiB."""
    fitting = _GRANULE_BYTES // max(population.sizes.mean * population.samples_per_file, 1)
    return max(1, min(population.files_per_directory, fitting, 1000))


def sizes_of(population: Population, indices: Sizes64) -> Sizes64:
    """The sizes in bytes of many files."""
    if population.format == "files":
        return sample_sizes(population, indices)
    if (sizes_at := format_of(population).sizes_at) is not None:
        return sizes_at(population, indices)
    return format_of(population).file_sizes(population, _samples_in(population, indices))


def _samples_in(population: Population, indices: Sizes64) -> Sizes64:
    """The sizes of the samples in files, one row a file; empty rows where they don't matter."""
    if format_of(population).windows is not None:
        return np.empty((len(indices), 0), dtype=np.int64)
    return sizes_in(population, indices)


def size_of(population: Population, index: int, suffix: str = "") -> int:
    """The size in bytes of file ``index``, or of the one beside it with that ``suffix``."""
    which = np.array([index], dtype=np.int64)
    if not suffix:
        return int(sizes_of(population, which)[0])
    sidecar = format_of(population).sidecars[suffix]
    return int(sidecar.sizes(population, _samples_in(population, which))[0])


def sizes_of_classes(population: Population) -> Sizes64:
    """The sizes of files with one sample each, by the size class of the sample."""
    table = size_classes(population.sizes)
    if population.format == "files":
        return table
    if (sizes_at := format_of(population).sizes_at) is not None:
        return sizes_at(population, np.arange(population.files, dtype=np.int64))
    return format_of(population).file_sizes(population, table[:, None])


def largest_size(population: Population) -> int:
    """The largest size in bytes that a file of ``population`` can have."""
    if _is_even(population):
        return size_of(population, 0)
    largest = size_classes(population.sizes).max()
    if population.format == "files":
        return int(largest)
    samples = np.full((1, population.samples_per_file), largest, dtype=np.int64)
    return int(format_of(population).file_sizes(population, samples)[0])


def space_bytes(population: Population) -> int:
    """The space that all files and directories take, in blocks of 4 KiB; the expectation."""
    names = _BLOCK * (directory_count(population) + file_count(population) // _NAMES_PER_BLOCK)
    names += _space_beside(population)
    if population.samples_per_file > 1:
        return total_bytes(population) + population.files * _BLOCK + names
    blocks = -(-sizes_of_classes(population) // _BLOCK)
    return int(population.files * _BLOCK * blocks.mean()) + names


@lru_cache(maxsize=64)
def _space_beside(population: Population) -> int:
    """The space that what lies beside the files takes, from a few of them."""
    step = max(population.files // _LOOKED_AT, 1)
    looked = range(0, population.files, step)
    total = 0
    for suffix in suffixes_of(population)[1:]:
        sizes = [size_of(population, index, suffix) for index in looked]
        total += sum(-(-size // _BLOCK) * _BLOCK for size in sizes) * population.files
    return total // len(looked)


def _is_even(population: Population) -> bool:
    """Whether all files have the same size."""
    if population.sizes.distribution == "fixed":
        return True
    return population.format != "files" and format_of(population).windows is not None


@lru_cache(maxsize=64)
def total_bytes(population: Population) -> int:
    """The bytes of all files, without what lies beside them.

    Exact up to 4 million samples, the expectation beyond.
    """
    if _is_even(population):
        return population.files * size_of(population, 0)
    files = population.files
    counted = files if population.samples <= _COUNTED else min(files, _AT_ONCE)
    if population.samples_per_file == 1 and counted < files:
        return int(files * sizes_of_classes(population).mean())
    total = 0
    step = max(_AT_ONCE * 64 // population.samples_per_file, 1)
    for start in range(0, counted, step):
        stop = min(start + step, counted)
        total += int(sizes_of(population, np.arange(start, stop, dtype=np.int64)).sum())
    return total * files // counted
