"""What stands in the way of calling a side better, or two sides equivalent: one-sided gates.

A side that a client held back may be better than its figure, one that a cache helped may be worse.
So the first can't be shown to be worse, the second not to be better; and sides of which either may
be otherwise are not shown to be equivalent. Work of others falls on both sides of a pair by chance:
it widens the interval and draws the ratio towards 1, so that it can hide a difference and not make
one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aibench.metrics import CLIENT_BOUND_BELOW, headroom
from aibench.model import READS, CacheState, Finding, Phase, RunRecord, Sample
from aibench.remarks import steadiness_remarks
from aibench.stats.steady import steadiness

#: Codes of warnings after which a side may be better than its figure.
_MAY_BE_BETTER = frozenset({
    "client_bound", "io_limited", "nic_bound", "idle_jobs", "idle_workers", "depth_not_kept",
    "generated_while_writing", "source_bound",
})  # fmt: skip
#: Those after which it may be worse.
_MAY_BE_WORSE = frozenset({"cache_suspect", "names_cached"})
#: Those after which it may be either.
_MAY_BE_EITHER = frozenset({
    "counts_differ", "environment_changed", "impossible", "too_short",
})  # fmt: skip
#: The work of others, which chance shares out among the sides of a pair.
_NOISE = frozenset({
    "busy_client", "interference", "memory_short", "packets_lost", "retransmissions", "run_queue",
    "steal", "swapping", "tcp_retransmits",
})  # fmt: skip
#: Told beside the answer: they are the same on all sides.
_TOLD = frozenset({
    "short_run", "straggler", "start_spread", "not_locked", "results_on_target", "burst",
})  # fmt: skip
#: Noise in a larger share of the runs of a side hides differences.
_NOISY_SHARE = 0.5
CODES = _MAY_BE_BETTER | _MAY_BE_WORSE | _MAY_BE_EITHER | _NOISE | {"memory_target", "not_steady"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One thing to know about a side, and what may be otherwise because of it.

    ``hides`` forbids only to call two sides equivalent.
    """

    finding: Finding
    may_be_better: bool = False
    may_be_worse: bool = False
    hides: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether it forbids anything at all."""
        return self.may_be_better or self.may_be_worse or self.hides


def gates(
    phase: Phase, runs: Sequence[tuple[RunRecord, Sequence[Sample]]], unit: str, *, paired: bool
) -> tuple[Gate, ...]:
    """What is to be known of one side of which ``runs`` have these samples of ``phase``."""
    found: dict[str, Gate] = {}
    for gate in _all(phase, runs, unit, paired=paired):
        known = found.get(gate.finding.code)
        if known is None or (gate.is_closed and not known.is_closed):
            found[gate.finding.code] = gate
    return tuple(found.values())


def _all(
    phase: Phase, runs: Sequence[tuple[RunRecord, Sequence[Sample]]], unit: str, *, paired: bool
) -> Iterator[Gate]:
    samples = [sample for _, each in runs for sample in each]
    yield from _memory(runs)
    if phase.operation in READS:
        yield from _cache(phase, samples)
    room = headroom(samples, unit)
    if room is not None and room < CLIENT_BOUND_BELOW:
        message = f"the harness alone does only {room:.2f} times this rate"
        yield Gate(finding=Finding(code="client_bound", message=message), may_be_better=True)
    yield from _steady(phase, samples)
    yield from _warnings(runs, paired=paired)


def _memory(runs: Sequence[tuple[RunRecord, Sequence[Sample]]]) -> Iterator[Gate]:
    for record, _ in runs:
        if record.target.is_memory:
            message = f"{record.target.mount_point} is {record.target.fstype}: memory, no storage"
            finding = Finding(code="memory_target", message=message)
            yield Gate(finding=finding, may_be_better=True, may_be_worse=True)


def _cache(phase: Phase, samples: Sequence[Sample]) -> Iterator[Gate]:
    for sample in samples:
        found = sample.evidence
        if found is None or found.state is not CacheState.COLD:
            told = f"{found.state.value} ({found.reason})" if found else "no evidence was taken"
            message = f"the bytes may have come from a cache: asked {phase.cache.value}, found "
            finding = Finding(code="cache_suspect", message=message + told)
            yield Gate(finding=finding, may_be_worse=True)


def _steady(phase: Phase, samples: Sequence[Sample]) -> Iterator[Gate]:
    for sample in samples:
        seen = steadiness(phase, sample.measurement)
        for remark in steadiness_remarks(phase, sample):
            if remark.code == "not_steady":
                falls = seen is not None and seen.falling
                yield Gate(finding=remark, may_be_worse=falls, may_be_better=not falls)
            elif remark.code in _TOLD:
                yield Gate(finding=remark)


def _warnings(
    runs: Sequence[tuple[RunRecord, Sequence[Sample]]], *, paired: bool
) -> Iterator[Gate]:
    seen: dict[str, list[Finding]] = {}
    for record, samples in runs:
        every = {warning.code: warning for warning in record.warnings}
        for sample in samples:
            every |= {w.code: w for w in (*sample.warnings, *sample.measurement.warnings)}
        for code, warning in every.items():
            seen.setdefault(code, []).append(warning)
    for code, findings in seen.items():
        first = findings[0]
        if code in _NOISE:
            yield _noise(first, len(findings), len(runs), paired=paired)
        elif code in CODES:
            either = code in _MAY_BE_EITHER
            yield Gate(
                finding=first,
                may_be_better=either or code in _MAY_BE_BETTER,
                may_be_worse=either or code in _MAY_BE_WORSE,
            )
        elif code in _TOLD:
            yield Gate(finding=first)


def _noise(first: Finding, count: int, runs: int, *, paired: bool) -> Gate:
    message = f"in {count} of {runs} runs: {first.message}" if count > 1 else first.message
    finding = Finding(code=first.code, message=message)
    if not paired:
        return Gate(finding=finding, may_be_better=True, may_be_worse=True)
    return Gate(finding=finding, hides=count > _NOISY_SHARE * runs)
