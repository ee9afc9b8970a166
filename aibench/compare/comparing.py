"""Puts a comparison together: readings, contrasts, gates, answers, and what was left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from aibench.compare.deciding import Answer, Question, answers
from aibench.compare.gates import Gate, gates
from aibench.compare.overall import is_named, missing, overall, refuse_unknown
from aibench.compare.readings import Place, Reading, places, reading, shared_state, unlike_states
from aibench.compare.rules import Entrant, Rules
from aibench.compare.units import per_unit
from aibench.compare.unlike import codes, side_state, told_apart, unlike
from aibench.errors import Refused
from aibench.identity import identity
from aibench.model import CacheState, Finding, Metric
from aibench.model.comparison import Comparison, Design, Difference, Figure, Outcome, PerUnit, Side
from aibench.stats.intervals import estimate
from aibench.stats.paired import Contrast, logarithms, of_pairs, of_sets
from aibench.stats.signflip import sign_flip_p


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """Two sides of one figure on their way to an answer."""

    first: int
    second: int
    question: Question
    dropped: tuple[Finding, ...] = ()
    why_none: tuple[Finding, ...] = ()


def compare(entrants: Sequence[Entrant], rules: Rules, *, paired: bool) -> Comparison:
    """Which of ``entrants`` is better, figure by figure; run ``i`` of each is one pair.

    `Refused` names every difference between the runs that forbids it and was not allowed, and
    figures of unlike units.
    """
    _check(entrants, paired)
    differs = unlike(entrants, paired=paired)
    refused = [d for d in differs if d.code not in rules.allowed]
    if refused:
        raise Refused(_refusal(refused))
    sides = tuple(
        Side(key=e.key, target=e.runs[0].target, runs=tuple(r.run_id for r in e.runs),
             system=e.system)
        for e in entrants
    )  # fmt: skip
    refuse_unknown([run for entrant in entrants for run in entrant.runs], rules)
    found = _Comparing(tuple(entrants), sides, rules, paired, bool(differs))
    figures = found.figures()
    return Comparison(
        design=Design.PAIRED if paired else Design.SEQUENTIAL,
        sides=sides,
        figures=figures,
        overall=tuple(overall(figures, len(sides))),
        delta=rules.delta,
        confidence=rules.confidence,
        adjustment="benjamini-hochberg" if rules.screen else "holm",
        complete=len(entrants[0].runs) if paired else 0,
        differs=(*differs, *told_apart(entrants)),
        missing=tuple(missing(entrants)),
    )


def _check(entrants: Sequence[Entrant], paired: bool) -> None:
    if len(entrants) < 2:
        raise Refused("a comparison needs two sides; there is only one")
    for entrant in entrants:
        if not entrant.runs:
            raise Refused(f"side {entrant.key} has no run that could be compared")
    if paired and len({len(entrant.runs) for entrant in entrants}) != 1:
        raise Refused("pairs are complete only where all sides have as many runs")
    ids = [run.run_id for entrant in entrants for run in entrant.runs]
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise Refused(f"run {twice[0]} is there twice: a run can't be compared with itself")


def _refusal(found: Sequence[Finding]) -> str:
    lines = [f"not alike: {finding.message}" for finding in found]
    options = " ".join(f"--allow-different {name}" for name in codes(found))
    return "\n".join([*lines, f"to see them side by side, with no verdict: {options}"])


@dataclass(frozen=True, slots=True)
class _Comparing:
    entrants: tuple[Entrant, ...]
    sides: tuple[Side, ...]
    rules: Rules
    paired: bool
    is_unlike: bool

    def figures(self) -> tuple[Figure, ...]:
        """All figures; the questions of all of them are answered together."""
        every = [r for e in self.entrants for r in e.runs]
        found = [figure for where in places(every) for figure in self._phase(where)]
        questions = [row.question for _, rows in found for row in rows]
        answered = iter(answers(questions, self.rules))
        return tuple(
            replace(figure, differences=tuple(self._difference(figure, r, next(answered))
                                              for r in rows))
            for figure, rows in found
        )  # fmt: skip

    def _phase(self, where: Place) -> Iterator[tuple[Figure, list[_Row]]]:
        table = [[reading(run, where) for run in e.runs] for e in self.entrants]
        told = [read for side in table for read in side if read is not None and read.metrics]
        if not told:
            return
        state = shared_state(told)
        own = [side_state(entrant, where) for entrant in self.entrants]
        apart = "cache" in self.rules.allowed and not self.paired
        states = own if apart else [state] * len(own)
        names = dict.fromkeys(name for read in told for name in read.metrics)
        for name in names:
            metric = next(read.metrics[name] for read in told if name in read.metrics)
            _same_units(metric, told)
            values = [[_value(read, name, wanted) for read in side]
                      for side, wanted in zip(table, states, strict=True)]  # fmt: skip
            figure = Figure(
                workload=where[0],
                phase=where[1],
                metric=name,
                title=metric.title,
                unit=metric.unit,
                better=metric.better,
                estimates=tuple(
                    estimate(known, metric.better)
                    if (known := [v for v in side if isinstance(v, float)]) else None
                    for side in values
                ),
                differences=(),
                state=" / ".join(dict.fromkeys(s.value for s in own if s)) or None,
                must_have=_asked_for(self.rules, where, name),
            )  # fmt: skip
            pairs = combinations(range(len(self.entrants)), 2)
            yield figure, [self._row(figure, i, j, values, table) for i, j in pairs]

    def _row(
        self, figure: Figure, first: int, second: int,
        values: Sequence[Sequence[float | str]], table: Sequence[Sequence[Reading | None]],
    ) -> _Row:  # fmt: skip
        """Two sides of one figure, with the runs that both of them have."""
        kept, dropped = self._kept(first, second, values)
        shown = [[v for n, v in enumerate(values[i]) if n in kept[i] and isinstance(v, float)]
                 for i in (first, second)]  # fmt: skip
        zero = any(v <= 0 for side in shown for v in side)
        contrast: Contrast | None = None
        if not zero:
            contrast = of_pairs(*shown) if self.paired else of_sets(*shown)
        question = Question(
            contrast=contrast,
            better=figure.better,
            n=min(map(len, shown)),
            logs=logarithms(*shown) if self.paired and not zero else (),
            floor=self._floor(figure, [table[i][n] for i in (first, second) for n in kept[i]]),
            must_have=figure.must_have,
            sequential=not self.paired,
            gates=(self._gates(figure, first, table, kept[first]),
                   self._gates(figure, second, table, kept[second])),
        )  # fmt: skip
        why = Finding(code="zero", message="a value is 0, and 0 has no ratio")
        return _Row(first=first, second=second, question=question, dropped=dropped,
                    why_none=(why,) if zero else ())  # fmt: skip

    def _kept(
        self, first: int, second: int, values: Sequence[Sequence[float | str]]
    ) -> tuple[dict[int, list[int]], tuple[Finding, ...]]:
        """The runs of two sides that count, by number, and why others don't."""
        dropped, kept = [], {}
        for side in (first, second):
            kept[side] = [n for n, v in enumerate(values[side]) if isinstance(v, float)]
        if self.paired:
            both = [n for n in kept[first] if n in kept[second]]
            kept = {first: both, second: both}
        for side in (first, second):
            for number, value in enumerate(values[side]):
                if isinstance(value, str):
                    what = f"pair {number + 1} is left out" if self.paired else "a run is left out"
                    run = self.sides[side].runs[number]
                    message = f"{what}: on {self.sides[side].key} {value} ({run})"
                    dropped.append(Finding(code="run_dropped", message=message))
        return kept, tuple(dropped)

    def _floor(self, figure: Figure, readings: Sequence[Reading | None]) -> float | None:
        keys = {identity(r.record, r.stage, r.phase).series for r in readings if r is not None}
        known = [self.rules.floors.get((key, figure.metric)) for key in keys]
        return max((floor for floor in known if floor is not None), default=None)

    def _gates(
        self, figure: Figure, side: int, table: Sequence[Sequence[Reading | None]],
        kept: Sequence[int],
    ) -> tuple[Gate, ...]:  # fmt: skip
        reads = [read for n in kept if (read := table[side][n]) is not None]
        if not reads:
            return ()
        runs = [(read.record, read.samples) for read in reads]
        key = self.sides[side].key
        return tuple(
            replace(gate, finding=replace(gate.finding, message=f"{key}: {gate.finding.message}"))
            for gate in gates(reads[0].phase, runs, figure.unit, paired=self.paired)
        )

    def _difference(self, figure: Figure, row: _Row, answer: Answer) -> Difference:
        contrast = row.question.contrast
        outcome = Outcome.SIDE_BY_SIDE if self.is_unlike else answer.outcome
        found = Difference(
            first=row.first, second=row.second, n=row.question.n, outcome=outcome,
            floor=row.question.floor, strong=answer.strong and not self.is_unlike,
            reasons=row.why_none or answer.reasons, caveats=answer.caveats, dropped=row.dropped,
        )  # fmt: skip
        if contrast is None:
            return found
        low, high = contrast.interval(self.rules.confidence)
        units: tuple[PerUnit, ...] = ()
        if figure.unit.endswith("/s"):
            sides = self.sides[row.first], self.sides[row.second]
            units = per_unit(*sides, contrast.center, low, high)
        return replace(
            found,
            log_ratio=contrast.center,
            log_low=low,
            log_high=high,
            p=contrast.p_different(),
            p_adjusted=answer.p_adjusted,
            p_signs=sign_flip_p(row.question.logs),
            detectable=contrast.detectable(self.rules.confidence),
            runs_needed=answer.runs_needed,
            per_unit=units,
        )


def _same_units(metric: Metric, readings: Sequence[Reading]) -> None:
    for read in readings:
        other = read.metrics.get(metric.name, metric)
        if (other.unit, other.better) != (metric.unit, metric.better):
            raise Refused(
                f"{metric.name} is in {metric.unit} and in {other.unit} ({read.record.run_id}): "
                "figures of unlike units can't be compared"
            )


def _value(read: Reading | None, name: str, state: CacheState | None) -> float | str:
    """The figure of one run, or why it has none."""
    if read is None:
        return "the plan has no such phase"
    if read.why_none:
        return read.why_none
    if unlike_states(read.state, state):
        return f"the cache was {read.state.value if read.state else 'not looked at'}, not {state}"
    metric = read.metrics.get(name)
    return (
        "there is no such figure" if metric is None or metric.value is None else metric.value + 0.0
    )


def _asked_for(rules: Rules, where: Place, name: str) -> bool:
    return not rules.screen and (not rules.must_have or is_named(where, name, rules.must_have))
