"""The gate decides by statistics, magnitude, the client and confirmation, and says each of them."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aibench.history import Rules, check, histories, levels, rows, trend
from aibench.model import Environment, Finding
from aibench.model.history import Checked, Event, History, Session, Standing
from tests import build, past

QUIET = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.01, 0.99, 1.0, 1.005)


def history(rates: Sequence[float], metric: str = "read_bandwidth", **changes: object) -> History:
    """The series of a metric over nights with these rates."""
    records = [past.night(number, rate, **changes) for number, rate in enumerate(rates)]
    found = histories([rows(record) for record in records])
    return next(each for each in found if each.id.metric == metric)


def session(rate: float, number: int = 500, **changes: object) -> Session:
    """A later session."""
    return history([1.0], **changes).sessions[0] if number < 0 else replace(
        history([rate], **changes).sessions[0], started_at=past.night(number).started_at,
        run_id=f"night-{number:04d}",
    )  # fmt: skip


def checked(rate: float, reruns: Sequence[float] = (), rates: Sequence[float] = QUIET) -> Checked:
    """What becomes of a session with ``rate`` after a quiet history."""
    again = [session(one, 501 + place) for place, one in enumerate(reruns)]
    return check(history(rates), session(rate), again)


@pytest.mark.parametrize(
    ("rate", "reruns", "standing"),
    [
        (1.0, (), Standing.OK),
        (0.96, (), Standing.OK),
        (0.85, (), Standing.SUSPECT),
        (0.85, (0.86,), Standing.SUSPECT),
        (0.85, (0.86, 0.84), Standing.REGRESSED),
        (0.85, (1.0, 0.99), Standing.OK),
        (1.2, (), Standing.MAYBE_IMPROVED),
        (1.2, (1.19, 1.21), Standing.IMPROVED),
        (1.2, (0.85, 0.84), Standing.OK),
    ],
)
def test_outcomes(rate: float, reruns: tuple[float, ...], standing: Standing) -> None:
    """A change has to be unlikely, large and confirmed by the median of three, in its direction."""
    found = checked(rate, reruns)
    assert found.standing is standing, found.steps


def test_lower_is_better_for_times() -> None:
    """A latency that grows is a regression, one that falls is an improvement."""
    slow = history(QUIET)
    turned = History(id=replace(slow.id, better="lower"), sessions=slow.sessions)
    again = [session(0.8, 501), session(0.8, 502)]
    assert check(turned, session(0.8), again).standing is Standing.IMPROVED
    again = [session(1.3, 501), session(1.3, 502)]
    assert check(turned, session(1.3), again).standing is Standing.REGRESSED


def test_too_little_history_is_said() -> None:
    """Seven sessions decide nothing, and the answer says how many more it takes."""
    found = checked(0.5, (0.5, 0.5), QUIET[:7])
    assert found.standing is Standing.INSUFFICIENT
    assert found.steps[0].told.startswith("7 of at least 8")
    assert found.next_step.startswith("measure 1 more time ")
    assert checked(0.5, (0.5, 0.5), QUIET[:8]).standing is Standing.REGRESSED


def test_noise_hides_and_says_what_it_hides() -> None:
    """In a series that varies by 20 % a loss of 15 % is silent; what it can tell is told."""
    wide = [1 + 0.2 * (-1) ** place for place in range(12)]
    found = checked(0.85, (), wide)
    assert found.standing is Standing.OK
    assert found.detectable is not None
    assert found.detectable > 0.3


def test_small_changes_of_quiet_storage_don_t_matter() -> None:
    """A change of 3 % may be beyond doubt and is still below the floor, unless that is lowered."""
    still = [1 + 0.0005 * (-1) ** place for place in range(12)]
    found = check(history(still), session(0.97))
    assert [step.fired for step in found.steps] == [True, False]
    assert found.standing is Standing.OK
    assert (
        check(history(still), session(0.97), rules=Rules(floor=0.02)).standing is Standing.SUSPECT
    )


def test_what_a_mount_differs_from_itself_by_does_not_matter() -> None:
    """A duel of the mount with itself raises the floor of its figure; a larger floor stays."""
    known = history(QUIET)
    key = (known.id.series, known.id.metric)
    assert known.id.series
    loud = check(known, session(0.8), rules=Rules(noise={key: 0.3}))
    assert (loud.standing, [step.fired for step in loud.steps]) == (Standing.OK, [True, False])
    assert loud.steps[1].told.endswith("< 0.259, by which a duel of the mount with itself differed")
    assert loud.detectable == pytest.approx(1 - math.exp(-0.3))
    for noise in ({key: 0.2}, {("another", known.id.metric): 0.3}, {(key[0], "iops"): 0.3}):
        assert check(known, session(0.8), rules=Rules(noise=noise)).standing is Standing.SUSPECT
    chosen = check(known, session(0.8), rules=Rules(floor=0.28, noise={key: 0.3}))
    assert chosen.steps[1].told.endswith("< 0.28")


def test_runs_of_a_duel_are_no_sessions() -> None:
    """Neither a pair nor the warm-up of a duel is in a series; a rerun that confirms is."""
    for pair in ("0", "1"):
        labels = {"duel": "d0e1", "pair": pair, "side": "a"}
        assert rows(past.night(1, labels=labels))["rows"] == []
    assert rows(past.night(1, labels={"confirms": "night-0000"}))["rows"]


def test_a_client_that_changed_is_not_the_storage() -> None:
    """Where the harness alone got slower by as much, the storage is not blamed, and nor cleared."""
    slow = session(0.8, harness=8.0)
    found = check(history(QUIET), slow, [session(0.8, 501), session(0.8, 502)])
    assert found.standing is Standing.CLIENT_CHANGED
    assert "-20.0%" in found.steps[-1].told
    fast = session(0.8, harness=12.0)
    assert check(history(QUIET), fast).standing is Standing.SUSPECT


def test_a_level_that_fell_stays_until_it_is_accepted() -> None:
    """Sessions at a lower level are like one another; the fall is told of until it is blessed."""
    fallen = history([*QUIET, *(0.8 * rate for rate in QUIET)])
    found = check(fallen, session(0.8))
    assert found.standing is Standing.REGRESSED
    assert "since night-0010" in found.steps[-1].told
    blessing = Event(kind="bless", series=fallen.id.key, run_id="night-0010", at="", by="me")
    assert check(fallen, session(0.8), events=[blessing]).standing is Standing.OK
    assert check(fallen, session(0.64), events=[blessing]).standing is Standing.SUSPECT


def test_just_after_a_change_nothing_is_decided() -> None:
    """Two sessions at a new level are too few to be the middle for a third."""
    changed = history([*QUIET, *QUIET, 0.5, 0.501, 0.5])
    assert len(levels(changed.sessions)) == 2
    before = History(id=changed.id, sessions=changed.sessions[:-1])
    assert len(levels(before.sessions)) == 1, "no level is shorter than three sessions"


def test_reruns_are_no_baseline() -> None:
    """Runs that were made to confirm another one don't weigh in the history."""
    twice = history([*QUIET, 0.5, 0.5, 0.5])
    marked = tuple(
        replace(one, confirms="night-0009") if one.value < 4e6 * 0.6 else one
        for one in twice.sessions
    )
    assert len(levels(marked)[0].sessions) == len(QUIET)


@given(st.floats(0.2, 5.0), st.floats(0.5, 2.0))
def test_units_don_t_matter(rate: float, unit: float) -> None:
    """The same series in another unit gives the same outcome and ratio."""
    known, new = history(QUIET), session(rate)
    scaled = tuple(replace(one, value=one.value * unit) for one in known.sessions)
    first = check(known, new)
    second = check(History(id=known.id, sessions=scaled), replace(new, value=new.value * unit))
    assert first.standing is second.standing
    assert first.ratio == pytest.approx(second.ratio)


def test_a_run_that_does_not_count_adds_nothing() -> None:
    """Interrupted runs and failed samples are in no series."""
    reason = (Finding(code="interrupted", message="stopped"),)
    assert rows(past.night(1, reasons=reason))["rows"] == []
    assert rows(past.night(1, complete=False))["rows"] == []
    failed = [replace(build.sample(n), reasons=reason) for n in range(3)]
    assert rows(build.record(*failed))["rows"] == []


def test_what_changed_with_a_level_is_named() -> None:
    """At a change the drives' firmware is told of, and a new kernel makes another series."""
    old = {"metadata": {"hostname": "a", "aibench": "1"}, "key": {"kernel": "6.1", "cpu": "x"}}
    records = [past.night(n, 1.0, environment=Environment(**old)) for n in range(12)]
    newer = {**old, "metadata": {"hostname": "b", "aibench": "1"}}
    records += [past.night(n, 0.8, environment=Environment(**newer)) for n in range(12, 24)]
    found = histories([rows(record) for record in records])
    told = trend(found[0])
    (turn,) = told.turns
    assert turn.session.run_id == "night-0012"
    assert turn.facts == {"host": ("a", "b")}
    upgraded = {**newer, "key": {"kernel": "6.8", "cpu": "x"}}
    records += [past.night(n, 0.8, environment=Environment(**upgraded)) for n in range(24, 27)]
    split = histories([rows(record) for record in records])
    assert len(split) == 2 * len(found)
    by_length = sorted((s for s in split if s.id.metric == found[0].id.metric),
                       key=lambda s: len(s.sessions))  # fmt: skip
    after = trend(by_length[0], (), split)
    ((before, changed),) = after.predecessors
    assert before.id.key == by_length[1].id.key
    assert changed == {"client kernel": ("6.1", "6.8")}


def test_missing_nights_are_counted() -> None:
    """Where sessions follow each other nightly, the nights without one are counted."""
    nights = [0, 1, 2, 3, 4, 7, 8, 9, 10, 12, 13, 14]
    records = [past.night(number) for number in nights]
    assert trend(histories([rows(record) for record in records])[0]).missing == 3


def test_false_alerts_over_a_year() -> None:
    """Of 300 nights of storage that never changes, at most two are suspected, none stays."""
    random = np.random.default_rng(7)
    rates = np.exp(random.normal(0, 0.02, 320))
    suspected = 0
    whole = history(list(rates[:20]))
    make = whole.sessions[0]
    sessions = [
        replace(make, value=make.value * rate, started_at=past.night(n).started_at, run_id=f"n{n}")
        for n, rate in enumerate(rates)
    ]
    for place in range(20, 320, 3):
        known = History(id=whole.id, sessions=tuple(sessions[place - 20 : place]))
        suspected += check(known, sessions[place]).standing is not Standing.OK
    assert suspected <= 5
