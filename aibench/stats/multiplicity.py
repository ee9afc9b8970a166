"""p values of several questions at once, adjusted so that each can be held against one level."""

from collections.abc import Sequence


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted so that the chance of *any* wrong rejection stays below the level (Holm 1979)."""
    n = len(values)
    adjusted = [0.0] * n
    largest = 0.0
    for rank, place in enumerate(sorted(range(n), key=lambda i: values[i])):
        largest = max(largest, min((n - rank) * values[place], 1.0))
        adjusted[place] = largest
    return tuple(adjusted)


def benjamini_hochberg(values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted so that the expected *share* of wrong rejections stays below the level.

    Benjamini and Hochberg 1995: for questions that are independent, or depend on each other as
    figures of one run do.
    """
    n = len(values)
    adjusted = [0.0] * n
    smallest = 1.0
    order = sorted(range(n), key=lambda i: values[i], reverse=True)
    for place, rank in zip(order, range(n, 0, -1), strict=True):
        smallest = min(smallest, n * values[place] / rank)
        adjusted[place] = smallest
    return tuple(adjusted)
