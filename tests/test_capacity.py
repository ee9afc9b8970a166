"""A search finds the largest number of accelerators that is fed, within the levels it may try."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.capacity import (
    Capacity,
    Fed,
    candidates,
    capacity,
    following,
    judged,
    levels_at_most,
    next_level,
    searched,
)
from aibench.model import (
    Accelerated,
    Accelerators,
    Ceiling,
    Finding,
    Phase,
    Sample,
    Stage,
    Training,
)
from tests import build

SECOND = 10**9


def found(fed: Callable[[int], Fed], most: int) -> dict[int, Fed | None]:
    """The levels that a search tries, where each is ``fed``."""
    levels, tried = list(range(1, most + 1)), dict[int, Fed | None]()
    while (level := following(tried, levels, levels_at_most(most))) is not None:
        assert level not in tried
        tried[level] = fed(level)
    return tried


@pytest.mark.parametrize("most", [1, 2, 3, 7, 16, 64, 128])
def test_a_sure_target_is_found_exactly(most: int) -> None:
    """Whatever the number is, few levels are enough to find it, and the interval is one number."""
    for limit in range(most + 1):
        tried = found(lambda level, limit=limit: Fed.YES if level <= limit else Fed.NO, most)  # type: ignore[misc]
        assert len(tried) <= levels_at_most(most)
        answer = capacity(tried)
        assert (answer.fed, answer.low) == (limit, limit)
        assert answer.high == (limit if limit < most else None)
    assert levels_at_most(64) == 14


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(0, 20), st.integers(0, 20))
def test_an_unsure_target_has_an_interval(limit: int, under: int, over: int) -> None:
    """Where levels near the limit are not sure, the interval holds it, and the search ends."""

    def fed(level: int) -> Fed:
        if level <= limit:
            return Fed.YES if level <= limit - under else Fed.LIKELY
        return Fed.NO if level > limit + over else Fed.UNLIKELY

    tried = found(fed, 64)
    assert len(tried) <= levels_at_most(64)
    answer = capacity(tried)
    assert answer.low <= limit - under if under <= limit else answer.low == 0
    assert answer.fed == limit
    assert answer.high is None or answer.high >= limit + over


def test_the_client_may_end_it() -> None:
    """Levels that the harness can't feed with no I/O behind it are not the target's limit."""
    tried = found(lambda level: Fed.YES if level < 6 else Fed.CLIENT, 64)
    assert capacity(tried) == Capacity(fed=5, low=5, high=5, client=True)
    tried = found(lambda level: Fed.YES if level < 6 else Fed.NO, 64)
    assert capacity(tried) == Capacity(fed=5, low=5, high=5, client=False)


def busy(share: float) -> Training:
    """An accelerator that computed for a share of ten seconds."""
    whole, part = 10 * SECOND, round(10 * SECOND * share)
    one = Accelerated(
        host="here", number=0, steps=10, bytes=1, first_batch_ns=0, first_step_ns=0, end_ns=whole,
        wait_ns=whole - part, compute_ns=part, barrier_ns=0, stall_ns=whole - part,
    )  # fmt: skip
    return Training(batch=1, accelerators=(one,))


def level(count: int, **changes: int) -> Phase:
    """A level of a search for those that are busy 90 % of their time."""
    asked = Accelerators(count=count, loaders=1, compute_ns=SECOND, **{"searched": 4} | changes)
    return build.phase(name=f"accelerators-{count}", processes=count, accelerators=asked)


def samples(count: int, *shares: float, harness: float = 1.0) -> list[Sample]:
    """Repeats of a level with these utilisations."""
    limit = Ceiling(operations=1, bytes=1, elapsed_ns=1, training=busy(harness))
    return [
        build.sample(
            repeat, phase=f"accelerators-{count}", ceiling=limit,
            measurement=build.measurement(training=busy(share)),
        )
        for repeat, share in enumerate(shares)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "fed"),
    [
        ((0.97, 0.96, 0.98), Fed.YES), ((0.91, 0.99, 0.85), Fed.LIKELY), ((0.95,), Fed.YES),
        ((0.89, 0.95, 0.81), Fed.UNLIKELY), ((0.7, 0.71, 0.69), Fed.NO), ((0.8,), Fed.NO),
    ],
)  # fmt: skip
def test_a_level_is_judged_by_its_interval(shares: tuple[float, ...], fed: Fed) -> None:
    """Sure is what the whole 95 % interval says; one repeat decides by itself."""
    assert judged(level(2), samples(2, *shares)) is fed
    assert judged(level(2), samples(2, *shares, harness=0.5)) is Fed.CLIENT


def test_what_does_not_count_decides_nothing() -> None:
    """A level of which no repeat counts ends a search."""
    wrong = Finding(code="errors", message="1 operations failed")
    bad = [build.sample(phase="accelerators-1", reasons=(wrong,))]
    assert judged(level(1), bad) is None
    assert following({1: None}, [1, 2, 3], 9) is None


def test_a_search_goes_on_from_its_samples() -> None:
    """What is next follows from the samples alone: repeats first, then levels."""
    stage: Stage = build.stage(repeats=2, phases=tuple(level(n, searched=9) for n in range(1, 5)))
    known: list[Sample] = []
    order = []
    while (phase := next_level(stage, known)) is not None:
        done = [sample for sample in known if sample.phase == phase.name]
        count = int(phase.name.rpartition("-")[2])
        known.append(samples(count, *(0.95 if count < 3 else 0.6,) * 2)[len(done)])
        order.append(count)
    assert order == [1, 1, 2, 2, 4, 4, 3, 3]
    assert next_level(stage, known[:5]) is stage.phases[3]
    client = [*samples(1, 0.95, 0.95), *samples(2, 0.4, harness=0.5)]
    assert next_level(stage, client) is None  # one repeat of what the client can't do is enough


def test_other_stages_are_no_search() -> None:
    """Without accelerators, or with levels that are all measured, nothing is searched."""
    assert searched(build.stage()) == 0
    assert candidates(build.stage(phases=(level(1, searched=0),))) == {}
