"""Names and sizes of files: pure functions of the index, the same one by one and in bulk."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats.draws import size_classes
from aibench.formats.files import (
    directory_count,
    granule,
    largest_size,
    path_of,
    paths_of,
    renamed_path_of,
    size_of,
    sizes_of,
    space_bytes,
    total_bytes,
)
from aibench.model import Population, Sizes
from tests import build

IMAGENET = Sizes(distribution="lognormal", mean=114_660, sigma=0.55, smallest=2048, largest=2**24)


@st.composite
def lognormals(draw: st.DrawFn) -> Sizes:
    """Any distribution whose mean lies between its cuts."""
    smallest = draw(st.integers(0, 10**5))
    mean = draw(st.integers(smallest, 10**7))
    largest = draw(st.integers(mean, 10**9))
    sigma = draw(st.floats(0, 3))
    return Sizes(
        distribution="lognormal", mean=mean, sigma=sigma, smallest=smallest, largest=largest
    )


def population(files: int, sizes: Sizes = IMAGENET, **changes: int) -> Population:
    """``files`` files of ``sizes``."""
    return build.population(files=files, sizes=sizes, **changes)


@given(
    st.lists(
        st.one_of(
            st.integers(0, 10**12),
            st.sampled_from([0, 999, 1000, 9999, 10**4, 10**8, 10**9, 10**10 - 1, 10**10, 10**11]),
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([1, 7, 1000, 10**6]),
)
def test_paths_in_bulk_are_those_one_by_one(indices: list[int], each: int) -> None:
    """The fast way to make names agrees with the plain one, at any index and directory."""
    files = population(max(indices) + 1, files_per_directory=each)
    found = paths_of(files, np.array(indices, dtype=np.int64))
    assert found == [path_of(files, index).encode() for index in indices]


def test_no_names_are_no_names() -> None:
    """Names of no files are an empty list."""
    assert paths_of(population(1), np.array([], dtype=np.int64)) == []


def test_names_sort_as_their_indices() -> None:
    """Directories and files sort by index, so that a listing reads in order."""
    files = population(10**7, files_per_directory=1000)
    indices = np.array([0, 1, 999, 1000, 10_000, 999_999, 10**6, 10**7 - 1], dtype=np.int64)
    assert sorted(paths_of(files, indices)) == paths_of(files, indices)
    assert path_of(files, 1_234_567) == "d001234/f0001234567"
    assert renamed_path_of(files, 1_234_567) == "d001234/r0001234567"
    assert os.path.dirname(path_of(files, 999)) != os.path.dirname(path_of(files, 1000))


@pytest.mark.parametrize(
    ("files", "each", "directories"), [(1, 1000, 1), (1000, 1000, 1), (1001, 1000, 2), (10, 3, 4)]
)
def test_directories_hold_what_they_may(files: int, each: int, directories: int) -> None:
    """There are as many directories as the files need, the last one not always full."""
    asked = population(files, files_per_directory=each)
    assert directory_count(asked) == directories
    last = path_of(asked, files - 1)
    assert last.startswith(f"d{directories - 1:06d}/")


@settings(max_examples=60, deadline=None)
@given(lognormals())
def test_sizes_keep_their_mean_and_their_cut(sizes: Sizes) -> None:
    """The mean is the one asked for, to the byte, also with cuts close to it."""
    table = size_classes(sizes)
    assert int(table.sum()) == sizes.mean * len(table)
    assert sizes.smallest <= int(table.min())
    assert int(table.max()) <= sizes.largest


def test_the_spread_is_the_one_asked_for() -> None:
    """The logarithms of ImageNet's sizes have a standard deviation of 0.55 around their median."""
    table = size_classes(IMAGENET)
    assert float(np.log(table).std()) == pytest.approx(0.55, rel=0.01)


def test_files_sample_their_distribution() -> None:
    """The files of a large data set have the mean and the spread of their distribution."""
    files = population(500_000)
    sizes = sizes_of(files, np.arange(files.files, dtype=np.int64))
    assert float(sizes.mean()) == pytest.approx(114_660, rel=0.005)
    assert float(np.log(sizes).std()) == pytest.approx(0.55, rel=0.01)
    assert total_bytes(files) == int(sizes.sum())


@settings(max_examples=40, deadline=None)
@given(lognormals(), st.integers(0, 2**62), st.lists(st.integers(0, 10**10), max_size=9))
def test_a_size_follows_from_the_index_alone(sizes: Sizes, seed: int, indices: list[int]) -> None:
    """Sizes in bulk are those one by one, whatever files come with them."""
    files = population(10**10 + 1, sizes, seed=seed)
    bulk = sizes_of(files, np.array(indices, dtype=np.int64)).tolist()
    assert bulk == [size_of(files, index) for index in indices]
    assert all(size <= largest_size(files) for size in bulk)


def test_another_seed_deals_other_sizes() -> None:
    """Two seeds give two data sets, of nearly equal bytes in all."""
    one, other = population(50_000), population(50_000, seed=2)
    indices = np.arange(50_000, dtype=np.int64)
    assert not np.array_equal(sizes_of(one, indices), sizes_of(other, indices))
    assert total_bytes(one) == pytest.approx(total_bytes(other), rel=0.02)


@pytest.mark.parametrize("files", [1, 3, 2**18, 2**18 + 1])
def test_the_total_is_the_sum(files: int) -> None:
    """The bytes of a data set are the sum of its sizes, however many there are."""
    asked = population(files)
    sizes = sizes_of(asked, np.arange(files, dtype=np.int64))
    assert total_bytes(asked) == int(sizes.sum())


def test_the_total_of_a_huge_set_is_the_expectation() -> None:
    """Beyond four million files the total is files times mean, within the noise of the sum."""
    huge, counted = population(4_000_001), population(4_000_000)
    assert total_bytes(huge) == 4_000_001 * 114_660
    assert total_bytes(huge) == pytest.approx(total_bytes(counted), rel=0.001)
    fixed = Sizes(distribution="fixed", mean=4096)
    assert total_bytes(population(10**9, fixed)) == 4096 * 10**9


@pytest.mark.parametrize(
    ("mean", "each", "expected"),
    [(0, 1000, 1000), (4096, 1000, 1000), (4096, 5000, 1000), (4096, 10, 10), (114_660, 1000, 146),
     (2**30, 1000, 1)],
)  # fmt: skip
def test_granules_are_small(mean: int, each: int, expected: int) -> None:
    """Files are noted as written in groups of at most 1000, or 16 MiB."""
    sizes = Sizes(distribution="fixed", mean=mean, smallest=0)
    assert granule(population(10**6, sizes, files_per_directory=each)) == expected


def test_tiny_files_take_a_block_each() -> None:
    """Space counts what filesystems allocate: ten million files of 100 bytes take 41 GB."""
    population = build.population(files=10**7, sizes=Sizes(distribution="fixed", mean=100))
    assert total_bytes(population) == 10**9
    assert 4.09e10 < space_bytes(population) < 4.2e10


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10**9)), min_size=1, max_size=8))
def test_listed_sizes_are_as_listed(listed: list[tuple[int, int]]) -> None:
    """Files have the sizes of the list, in its order; the total and the largest follow."""
    every = [size for count, size in listed for _ in range(count)]
    mean = sum(every) // len(every)
    sizes = Sizes(distribution="listed", mean=mean, smallest=0, listed=tuple(listed))
    files = population(len(every), sizes)
    assert sizes_of(files, np.arange(len(every), dtype=np.int64)).tolist() == every
    assert total_bytes(files) == sum(every)
    assert largest_size(files) == max(every)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"distribution": "listed", "mean": 1}, "belongs to the distribution"),
        ({"distribution": "fixed", "mean": 1, "listed": ((1, 1),)}, "belongs to the distribution"),
        ({"distribution": "listed", "mean": 1, "listed": ((0, 1),)}, "counts from 1"),
    ],
)
def test_impossible_lists_are_refused(parts: dict[str, object], words: str) -> None:
    """A list without its distribution, or of nothing."""
    with pytest.raises(ValueError, match=words):
        Sizes(**parts)


def test_a_list_has_a_size_for_each_sample() -> None:
    """More sizes than files, or fewer, are refused."""
    with pytest.raises(ValueError, match="2 sizes are listed for 3 samples"):
        population(3, Sizes(distribution="listed", mean=4, listed=((2, 4),)))
