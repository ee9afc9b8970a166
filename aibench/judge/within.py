"""Ratios whose two sides one run measured: later epochs over a cold one, small files over shards.

What a cache gives: later epochs over the first one, repeat by repeat. What small files cost:
reading them over reading the same bytes packed in shards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from aibench.judge.absolute import not_testable
from aibench.judge.gates import Gate
from aibench.judge.ratios import held
from aibench.judge.sides import Side
from aibench.judge.trials import Absent, Trial, fits, middle, single, trial_of
from aibench.judge.verdicts import CONFIDENCE, best, without
from aibench.model import (
    Claim,
    Finding,
    Interpretation,
    Phase,
    RunRecord,
    Sample,
    Status,
    Verdict,
)
from aibench.training import utilisation
from aibench.units import format_size, format_value

#: Bytes of two data sets that count as the same.
_SAME_BYTES = 0.01


def epochs(claim: Claim, reading: Interpretation, records: Sequence[RunRecord]) -> Verdict:
    """The verdict on a ratio of later epochs over the first one, in the same runs."""
    found = [place for record in records for place in single(record, claim)]
    cold = [place for place in found if isinstance(place, Trial)]
    if not cold:
        return not_testable([a for a in found if isinstance(a, Absent)], claim, reading)
    both = [made for first in cold if (made := _later(claim, first)) is not None]
    if not both:
        step = "measure more than one epoch: --set epochs=3"
        return without(claim, reading, Status.NOT_TESTABLE_HERE, "no_baseline", next_step=step)
    new = Side(trials=tuple(trial for later, _ in both for trial in later))
    base = Side(trials=tuple(trial for _, first in both for trial in first))
    return held(claim, reading, new, base, (), _capped(base), paired=True)


def _later(claim: Claim, first: Trial) -> tuple[list[Trial], list[Trial]] | None:
    """(later epochs, first epoch), a trial for each repeat that has both."""
    phases = [p for p in first.stage.measured if fits(f"{first.phase.name}-*", p.name)]
    made = [trial_of(first.record, claim, first.stage, phase) for phase in phases]
    after = [trial for trial in made if isinstance(trial, Trial)]
    held_: tuple[list[Trial], list[Trial]] = ([], [])
    for sample, value in zip(first.counted, first.values, strict=True):
        values = [v for t in after for s, v in zip(t.counted, t.values, strict=True)
                  if s.repeat == sample.repeat]  # fmt: skip
        if values:
            held_[0].append(replace(after[-1], values=(middle(values),), counted=(sample,)))
            held_[1].append(replace(first, values=(value,), counted=(sample,)))
    return held_ if held_[0] else None


def _capped(base: Side) -> tuple[Finding, ...]:
    """The most that a cache can give where accelerators waited: 1 over their utilisation."""
    shares = [_utilisation(sample) for trial in base.trials for sample in trial.counted]
    known = [share for share in shares if share]
    if not known or len(known) < len(shares):
        return ()
    cold = middle(known)
    message = (
        f"accelerators were used {format_value(cold, 'share')} of the first epoch, so no cache "
        f"gives more than {format_value(1 / cold, '1')} times as much"
    )
    return (Finding(code="ratio_capped", message=message),)


def _utilisation(sample: Sample) -> float | None:
    training = sample.measurement.training
    return utilisation(training) if training else None


def packing(claim: Claim, reading: Interpretation, records: Sequence[RunRecord]) -> Verdict:
    """The verdict on a ratio of reading small files over reading the same bytes in shards."""
    found = [place for record in records for place in single(record, claim)]
    small = [t for t in found if isinstance(t, Trial) and t.phase.population.samples_per_file == 1]
    if not small:
        return not_testable([a for a in found if isinstance(a, Absent)], claim, reading)
    both = [(trial, packed) for trial in small for packed in _packed(claim, trial)]
    if not both:
        whole = format_size(_bytes(small[0].phase))
        step = (
            f"measure the same {whole} in shards in the same run: a workload with "
            'format = "webdataset" and samples_per_file'
        )
        return without(claim, reading, Status.NOT_TESTABLE_HERE, "no_baseline", next_step=step)
    confidence = CONFIDENCE ** (1 / len(both))
    return best(
        [
            held(claim, reading, Side(trials=(trial,)), Side(trials=(packed,)),
                 _unlike(trial, packed), (), confidence, paired=False)
            for trial, packed in both
        ]
    )  # fmt: skip


def _packed(claim: Claim, small: Trial) -> Iterator[Trial]:
    """What the same run read of the same bytes in shards."""
    for stage in small.record.plan.stages:
        if stage.kind != small.stage.kind or stage.refusal is not None:
            continue
        for phase in stage.measured:
            shards = phase.population.samples_per_file > 1
            equal = abs(_bytes(phase) - _bytes(small.phase)) <= _SAME_BYTES * _bytes(small.phase)
            if phase.name == small.phase.name and shards and equal:
                made = trial_of(small.record, claim, stage, phase)
                if isinstance(made, Trial):
                    yield made


def _bytes(phase: Phase) -> int:
    return phase.population.samples * phase.sample_bytes


def _unlike(small: Trial, packed: Trial) -> list[Gate]:
    """The gate of two data sets that were not read by as many, or not from one place."""
    differing = []
    if small.phase.slots != packed.phase.slots:
        differing.append(f"workers ({small.phase.slots} against {packed.phase.slots})")
    if small.phase.cache is not packed.phase.cache:
        differing.append(f"cache policy ({small.phase.cache} against {packed.phase.cache})")
    if not differing:
        return []
    message = f"files and shards differ in {'; '.join(differing)}"
    return [
        Gate(
            finding=Finding(code="baseline_mismatch", message=message),
            forbids_met=True,
            forbids_not_met=True,
            remedy="read both with as many workers and the same cache policy",
        )
    ]
