"""The gate: whether the newest session of a series is a regression, step by step.

A session is flagged when it leaves the prediction interval of the sessions before it (one-sided,
1 %) *and* by more than the smallest difference that matters. It is a regression when the median of
itself and two reruns is flagged as well: single sessions are wrong once in a hundred. Where the
harness alone, with no I/O behind it, changed as much, the client changed and not the storage.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aibench.history.levels import Level, levels
from aibench.model.history import Checked, Event, History, SeriesId, Session, Standing, Step
from aibench.stats.prediction import ALPHA, Prediction, predicted
from aibench.units import format_value

#: Fewer sessions than this decide nothing.
FEWEST = 8
#: The current level has at least so many sessions.
_FEWEST_OF_LEVEL = 3
#: Reruns that confirm.
RERUNS = 2
#: The harness changed alike when its change is at least this share of that of the result.
_ALIKE = 0.5


@dataclass(frozen=True, slots=True)
class Rules:
    """``floor`` is the smallest share that matters, ``alpha`` the chance to leave by luck.

    ``noise`` are logarithms of by how much mounts differ from themselves, by (key of the series,
    metric). No smaller change matters there; ``measured`` says that the floor is such a one.
    """

    floor: float = 0.05
    alpha: float = ALPHA
    noise: Mapping[tuple[str, str], float] = field(default_factory=dict)
    measured: bool = False

    def of(self, series: SeriesId) -> "Rules":
        """The rules for one series, with the larger of the two floors."""
        noise = -math.expm1(-self.noise.get((series.series, series.metric), 0.0))
        return self if noise <= self.floor else replace(self, floor=noise, measured=True)


def check(
    history: History,
    session: Session,
    reruns: Sequence[Session] = (),
    events: Sequence[Event] = (),
    rules: Rules | None = None,
) -> Checked:
    """What becomes of ``session`` against the sessions of ``history`` that came before it.

    ``reruns`` are sessions that were measured to confirm it, at least two of them.
    """
    rules = (rules or Rules()).of(history.id)
    before = [s for s in history.sessions if s.started_at < session.started_at]
    known = levels(before, events)
    draft = Checked(id=history.id, session=session, standing=Standing.OK)
    total = sum(len(level.sessions) for level in known)
    if total < FEWEST or len(known[-1].sessions) < _FEWEST_OF_LEVEL:
        return _insufficient(draft, known, total)
    expected = predicted([level.values for level in known], rules.alpha)
    draft = replace(
        draft,
        baseline=len(known[-1].values),
        ratio=session.value / expected.center,
        center=expected.center,
        low=expected.low,
        high=expected.high,
        detectable=max(expected.detectable, rules.floor),
    )
    return _climbed(draft, known, expected, reruns, rules)


def _insufficient(draft: Checked, known: Sequence[Level], total: int) -> Checked:
    if total < FEWEST:
        told = f"{total} of at least {FEWEST} sessions before this one"
        missing = FEWEST - total
    else:
        fresh = len(known[-1].sessions)
        told = f"the level changed {fresh} sessions ago, and it takes {_FEWEST_OF_LEVEL}"
        missing = _FEWEST_OF_LEVEL - fresh
    return replace(
        draft,
        standing=Standing.INSUFFICIENT,
        steps=(Step(name="history", fired=None, told=told),),
        next_step=f"measure {missing} more {'time' if missing == 1 else 'times'} before the gate "
        "can decide",
    )


def _climbed(
    draft: Checked,
    known: Sequence[Level],
    expected: Prediction,
    reruns: Sequence[Session],
    rules: Rules,
) -> Checked:
    """The steps of the gate in their order; those after one that stayed silent are not asked."""
    values = [draft.session.value]
    worse, stat, size = _flagged(draft, expected, rules, values)
    steps = [stat, size]
    flagged = bool(stat.fired and size.fired)
    if not flagged:
        return _standing_level(replace(draft, steps=tuple(steps)), known, rules)
    if (canary := _canary(draft, known)).fired:
        return replace(
            draft,
            standing=Standing.CLIENT_CHANGED,
            steps=(*steps, canary),
            next_step="find out what changed on the client; the storage can't be judged by it",
        )
    steps.append(canary)
    standing = Standing.SUSPECT if worse else Standing.MAYBE_IMPROVED
    if len(reruns) < RERUNS:
        told = f"not confirmed: {len(reruns)} of {RERUNS} reruns"
        steps.append(Step(name="confirmation", fired=None, told=told))
        wanted = "confirm it with --confirm TARGET"
        return replace(draft, standing=standing, steps=tuple(steps), next_step=wanted)
    values += [rerun.value for rerun in reruns]
    again_worse, again, large = _flagged(draft, expected, rules, values)
    confirmed = bool(again.fired and large.fired) and again_worse is worse
    middle = _printed(draft, statistics.median(values))
    word = "is flagged as well" if confirmed else "is not flagged"
    told = f"the median of this session and {len(reruns)} reruns, {middle}, {word}"
    steps.append(Step(name="confirmation", fired=confirmed, told=told))
    if not confirmed:
        return replace(draft, standing=Standing.OK, steps=tuple(steps))
    return replace(
        draft,
        standing=Standing.REGRESSED if worse else Standing.IMPROVED,
        steps=tuple(steps),
        next_step=f"aibench history {draft.id.short} shows when it changed; if it is to stay: "
        f"aibench baseline bless {draft.id.short} --reason TEXT",
    )


def _flagged(
    draft: Checked, expected: Prediction, rules: Rules, values: Sequence[float]
) -> tuple[bool, Step, Step]:
    """(whether it is worse, the step of statistics, the step of magnitude)."""
    value = statistics.median(values)
    ratio = value / expected.center
    worse = (ratio < 1) is (draft.id.better == "higher")
    outside = value < expected.low or value > expected.high
    low, high = _printed(draft, expected.low), _printed(draft, expected.high)
    where = "outside" if outside else "within"
    memory = f", widened because sessions remember (ρ {expected.memory:.2f})"
    told = f"{_printed(draft, value)} is {where} what was expected, {low} to {high}"
    told += memory if expected.memory else ""
    stat = Step(name="statistics", fired=outside, told=told)
    # a loss of 5 % and a gain that makes up for it are as far from 1 as each other
    large = abs(math.log(ratio)) >= -math.log1p(-rules.floor) - 1e-12
    sign = "≥" if large else "<"
    level = _printed(draft, expected.center)
    told = f"{ratio - 1:+.1%} of the level {level}, {sign} {rules.floor:.3g}"
    told += ", by which a duel of the mount with itself differed" if rules.measured else ""
    return worse, stat, Step(name="magnitude", fired=large, told=told)


def _canary(draft: Checked, known: Sequence[Level]) -> Step:
    """Whether the harness alone changed with it: the same direction, and half as much at least."""
    assert draft.ratio is not None
    before = [s.canary for s in known[-1].sessions if s.canary]
    if not before or not draft.session.canary:
        told = "the harness alone was not measured in each session"
        return Step(name="client", fired=False, told=told)
    change = math.log(draft.session.canary / statistics.median(before))
    wanted = math.log(draft.ratio) * (1 if draft.id.better == "higher" else -1)
    alike = change * wanted > 0 and abs(change) >= _ALIKE * abs(wanted)
    told = f"the harness with no I/O behind it changed by {math.expm1(change):+.1%}"
    return Step(name="client", fired=alike, told=told)


def _standing_level(draft: Checked, known: Sequence[Level], rules: Rules) -> Checked:
    """A session like the last ones is no news; a level that fell and that nobody accepted is."""
    first, last = statistics.median(known[0].values), statistics.median(known[-1].values)
    change = known[-1].change
    if change is None or abs(math.log(last / first)) < -math.log1p(-rules.floor):
        return draft
    worse = (last < first) is (draft.id.better == "higher")
    began = known[-1].sessions[0]
    told = (
        f"since {began.run_id} the level is {last / first - 1:+.1%} of what it was (p "
        f"{change.p_value:.2g}), and nobody has accepted that"
    )
    return replace(
        draft,
        standing=Standing.REGRESSED if worse else Standing.IMPROVED,
        steps=(*draft.steps, Step(name="level", fired=True, told=told)),
        next_step=f"if it is to stay: aibench baseline bless {draft.id.short} --reason TEXT",
    )


def _printed(draft: Checked, value: float) -> str:
    return format_value(value, draft.id.unit)
