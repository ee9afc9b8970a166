"""Which calls the buffers of libraries make of pieces; the sizes around which they change ways."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.workers.loops.buffers import buffer_named


def calls(name: str, pieces: Sequence[int], python: tuple[int, int] = (3, 11)) -> list[list[int]]:
    """The lengths that each call writes, of pieces of these lengths."""
    made: list[list[int]] = []
    put = buffer_named(name, lambda views: made.append(list(map(len, views))), 4096, python)
    for length in pieces:
        put.write(memoryview(bytes(length)))
    put.flush()
    return made


@pytest.mark.parametrize(
    ("name", "pieces", "expected"),
    [
        ("stream", [30, 18, 16, 1031], [[64, 1031]]),  # as traced
        ("stream", [1023, 1023], [[2046]]),
        ("stream", [1024], [[0, 1024]]),
        ("stream", [1023] * 8 + [7, 6], [[8184, 7], [6]]),  # what fills it goes with it
        ("python", [64, 4032, 1], [[4096], [1]]),
        ("python", [10, 4096, 10], [[10], [4096], [10]]),
        ("python", [10, 4097, 10], [[10], [4097], [10]]),
        ("rust", [2**20 - 1, 1, 1], [[2**20], [1]]),
        ("rust", [5, 2**20, 5], [[5], [2**20], [5]]),
        ("rust", [340, 2**20 - 1, 100], [[340], [2**20 - 1], [100]]),
        ("", [1, 2], [[1], [2]]),
    ],
)
def test_calls_are_those_of_the_library(
    name: str, pieces: list[int], expected: list[list[int]]
) -> None:
    """By hand, where a piece just fits and where it just does not."""
    assert calls(name, pieces) == expected


def test_a_newer_python_has_a_larger_buffer() -> None:
    """From 3.14 on it holds 128 KiB at least."""
    assert calls("python", [100_000, 20_000, 20_000]) == [[100_000], [20_000], [20_000]]
    assert calls("python", [100_000, 20_000, 20_000], (3, 14)) == [[120_000], [20_000]]


@given(
    st.sampled_from(["stream", "python", "rust", ""]),
    st.lists(st.binary(min_size=1, max_size=30).map(lambda b: b * 401), max_size=40),
)
def test_bytes_go_out_in_their_order(name: str, pieces: list[bytes]) -> None:
    """Nothing is lost, doubled or moved."""
    out = bytearray()
    buffer = buffer_named(name, lambda views: out.extend(b"".join(views)), 4096, (3, 11))
    for piece in pieces:
        buffer.write(memoryview(piece))
    buffer.flush()
    assert bytes(out) == b"".join(pieces)
