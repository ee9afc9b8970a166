"""Ranges of whole numbers behave as the numbers in them."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.workspace.spans import Spans


@given(st.integers(0, 60), st.sets(st.integers(-2, 62)), st.integers(0, 60), st.integers(0, 60))
def test_as_the_numbers_themselves(count: int, done: set[int], start: int, stop: int) -> None:
    """Length, order, places and parts are those of the list that it stands for."""
    spans, numbers = Spans.without(count, done), [n for n in range(count) if n not in done]
    assert list(spans) == numbers
    assert len(spans) == len(numbers)
    assert [spans[place] for place in range(-len(numbers), len(numbers))] == numbers * 2
    assert list(spans[start:stop]) == numbers[start:stop]
    assert list(pickle.loads(pickle.dumps(spans))) == numbers


def test_what_is_not_there() -> None:
    """No place beyond the end, and no steps."""
    spans = Spans([range(3), range(5, 9)])
    assert repr(spans) == "Spans([range(0, 3), range(5, 9)])"
    with pytest.raises(IndexError):
        spans[7]
    with pytest.raises(ValueError, match="neighbours"):
        spans[::2]


def test_a_billion_files_half_written() -> None:
    """What is left of very many is told in a few bytes, where it is in a few pieces."""
    spans = Spans([range(first, first + 50_000) for first in range(0, 10**6, 10**5)])
    assert len(spans) == 500_000
    assert len(pickle.dumps(spans)) < 1000
