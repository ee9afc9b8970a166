"""The order of access: a permutation that nobody has to store."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.formats.mixing import key, mix, mix_one
from aibench.formats.order import Identity, Permutation


def order(count: int, seed: int = 1) -> list[int]:
    """The whole permutation of ``range(count)``."""
    return Permutation(count, seed).at(np.arange(count, dtype=np.int64)).tolist()


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.integers(1, 5000), st.sampled_from([4095, 4096, 4097, 65_536, 65_537])),
    st.integers(0, 2**63),
)
def test_every_element_comes_exactly_once(count: int, seed: int) -> None:
    """A permutation of any length is a bijection: each file is read once in an epoch."""
    assert sorted(order(count, seed)) == list(range(count))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 10**12), st.integers(0, 2**63), st.data())
def test_any_position_can_be_asked_alone(count: int, seed: int, data: st.DataObject) -> None:
    """The element at a position doesn't depend on what else is asked, and lies in the range."""
    positions = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=20))
    permutation = Permutation(count, seed)
    together = permutation.at(np.array(positions, dtype=np.int64))
    alone = [int(permutation.at(np.array([p], dtype=np.int64))[0]) for p in positions]
    assert together.tolist() == alone
    assert all(0 <= element < count for element in alone)


def test_the_seed_decides() -> None:
    """Equal seeds give the equal order; 200 other seeds give 200 others."""
    assert order(1000, 5) == order(1000, 5)
    assert len({tuple(order(1000, seed)) for seed in range(200)}) == 200


def test_all_orders_of_few_files_occur() -> None:
    """Even three files come in each of their six orders, over enough epochs."""
    assert len({tuple(order(3, seed)) for seed in range(300)}) == 6


def test_a_hundred_million_files_need_no_list() -> None:
    """Memory doesn't grow with the number of files: 64 positions cost the same at any count."""
    positions = np.arange(64, dtype=np.int64)
    peaks = []
    for count in (1000, 10**8, 10**12):
        tracemalloc.start()
        Permutation(count, 1).at(positions)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 2 * min(peaks) + 20_000


def test_places_are_evenly_distributed() -> None:
    """Where the first files of an epoch lie is even over the set (chi-square, fixed seed)."""
    count, drawn, bins = 10**8, 40_000, 100
    places = Permutation(count, 3).at(np.arange(drawn, dtype=np.int64))
    seen = np.bincount(places * bins // count, minlength=bins)
    chi_square = float(((seen - drawn / bins) ** 2 / (drawn / bins)).sum())
    assert 55 < chi_square < 160  # 99 degrees of freedom: beyond the 1e-3 quantiles


def test_neighbours_are_not_related() -> None:
    """Consecutive elements are as far apart as random ones, so no readahead can profit."""
    count = 10**6
    places = Permutation(count, 3).at(np.arange(50_000, dtype=np.int64))
    steps = np.abs(np.diff(places))
    assert float(steps.mean()) == pytest.approx(count / 3, rel=0.02)  # of two random points
    assert int((steps == 1).sum()) < 5
    correlation = float(np.corrcoef(places[:-1], places[1:])[0, 1])
    assert abs(correlation) < 0.02


def test_nothing_has_no_order() -> None:
    """A permutation of no files is a mistake, not an endless walk."""
    with pytest.raises(ValueError, match="at least one"):
        Permutation(0, 1)


def test_the_sequential_order_is_the_index() -> None:
    """In sequential order, position and element are the same."""
    positions = np.arange(10, dtype=np.int64)
    assert np.array_equal(Identity().at(positions), positions)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50))
def test_mixing_one_word_is_mixing_many(words: list[int]) -> None:
    """The mixing function is the same in plain integers and in arrays."""
    assert mix(np.array(words, dtype=np.uint64)).tolist() == [mix_one(word) for word in words]


def test_mixing_is_splitmix64() -> None:
    """The words are those that SplitMix64's reference code gives for the seed 1234567."""
    golden = 0x9E3779B97F4A7C15
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    states = [1234567 + turn * golden for turn in range(3)]
    assert [mix_one(state) for state in states] == expected


def test_the_order_of_a_key_matters() -> None:
    """Keys tell (1, 2) from (2, 1) and from (1, 2, 0)."""
    assert len({key(1, 2), key(2, 1), key(1, 2, 0), key(0, 1, 2), key(1), key()}) == 6
