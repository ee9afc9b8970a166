"""Claims on right bytes: what was written comes back, over the same protocol or another one.

A single wrong byte refutes such a claim. That none is wrong is shown by what was compared, from
storage and not from a cache, and over a second protocol where the claim is about several. There
it is enough that this client's page cache held none of it: what was written through another
mount has come over the second protocol then, whatever the server has in memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from aibench.judge.absolute import not_testable
from aibench.judge.gates import Gate, gates
from aibench.judge.trials import Absent, Trial, fits, single
from aibench.judge.verdicts import (
    bound,
    concluded,
    counted,
    reference,
    same_product,
    too_few,
)
from aibench.model import (
    Claim,
    Finding,
    Interpretation,
    Phase,
    RunRecord,
    Sample,
    Stage,
    Status,
    Verdict,
)
from aibench.stats.intervals import Side, estimate
from aibench.units import format_size

SECOND_PROTOCOL = "needs_second_protocol"
#: The label of a record whose data was written over another filesystem or protocol.
WRITTEN_THROUGH = "written_through"
#: Gates on what a comparison is worth; how fast it was does not matter.
_MATTER = frozenset({"cache_suspect", "memory_target", "unfinished", "impossible"})
#: Up to this share of the bytes may have been in the page cache, as for a cold phase.
_RESIDENT = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One phase of one record that compared what it read with what was written."""

    record: RunRecord
    stage: Stage
    phase: Phase
    samples: tuple[Sample, ...]

    @property
    def other_path(self) -> bool:
        """Whether the data was written over another protocol than it was read."""
        written = self.record.labels.get(WRITTEN_THROUGH, "")
        return bool(written) and written != self.record.target.fstype

    @property
    def crossed(self) -> bool:
        """Whether the bytes came over another protocol than before, and not out of a cache here."""
        seen = [sample.evidence.resident_share for sample in self.samples if sample.evidence]
        known = [share for share in seen if share is not None and share <= _RESIDENT]
        return self.other_path and len(known) == len(self.samples)


def judged(claim: Claim, reading: Interpretation, records: Sequence[RunRecord]) -> Verdict:
    """The verdict on the bytes that were compared in ``records``."""
    checked = list(_checked(claim, records))
    if SECOND_PROTOCOL in claim.needs and not any(map(_wrong, checked)):
        checked = [each for each in checked if each.other_path]
        if not checked:
            return _one_path(claim, reading)
    if not checked:
        found = [place for record in records for place in single(record, claim)]
        return not_testable([a for a in found if isinstance(a, Absent)], claim, reading)
    return _decide(claim, reading, checked)


def _checked(claim: Claim, records: Sequence[RunRecord]) -> Iterator[Checked]:
    for record in records:
        for kind, name in claim.phases:
            for stage in record.plan.stages:
                for phase in stage.measured if stage.kind == kind else ():
                    samples = tuple(
                        s
                        for s in record.samples
                        if (s.workload, s.phase) == (stage.workload, phase.name)
                        and s.measurement.wrong_bytes is not None
                    )
                    if fits(name, phase.question) and samples:
                        yield Checked(record=record, stage=stage, phase=phase, samples=samples)


def _wrong(checked: Checked) -> int:
    return sum(sample.measurement.wrong_bytes or 0 for sample in checked.samples)


def _one_path(claim: Claim, reading: Interpretation) -> Verdict:
    message = "the data came back over the protocol that it was written over, or nothing says which"
    return Verdict(
        claim=claim,
        interpretation=reading,
        status=Status.NOT_TESTABLE_HERE,
        reasons=(Finding(code=SECOND_PROTOCOL, message=message),),
        next_step="write with 'aibench run A' on a mount A, and read it back through a mount B of "
        "the same storage and another protocol: 'aibench verify B --written-through A'",
    )


def _decide(claim: Claim, reading: Interpretation, checked: Sequence[Checked]) -> Verdict:
    first = checked[0]
    samples = [sample for each in checked for sample in each.samples]
    values = [float(sample.measurement.wrong_bytes or 0) for sample in samples]
    wrong, files = int(sum(values)), sum(s.measurement.errors for s in samples)
    compared = sum(sample.measurement.bytes for sample in samples)
    told = Finding(
        code="wrong_bytes" if wrong else "bytes_compared",
        message=f"{counted(wrong, 'byte')} in {counted(files, 'file')} came back wrong, of "
        f"{format_size(compared)}"
        if wrong
        else f"{format_size(compared)} in {len(samples)} runs came back as they were written",
    )
    measured = estimate(values, "lower")
    draft = Verdict(
        claim=claim,
        interpretation=reading,
        status=Status.INCONCLUSIVE,
        workload=first.stage.workload,
        phase=first.phase.name,
        measured=measured,
        aggregate=measured,
        aggregate_unit="B",
        bound=bound(claim, reading),
    )
    closed = [gate for each in checked for gate in _gates(claim, each)]
    if not wrong:
        closed = [*too_few(claim, len(samples)), *closed]
    if not same_product(claim, first.record.system):
        return _reference(draft, first, told, measured.typical, closed)
    where = Side.BAD if wrong else Side.GOOD
    return replace(concluded(draft, where, closed, None, (told,)), next_step=_next(wrong, closed))


def _gates(claim: Claim, checked: Checked) -> list[Gate]:
    """What makes a comparison worthless: memory instead of storage, and runs that do not count."""
    found = gates(checked.record, checked.phase, checked.samples, claim)
    own = {reason.code for reason in checked.record.reasons}
    matter = (_MATTER - {"cache_suspect"} if checked.crossed else _MATTER) | own
    kept = [gate for gate in found if gate.finding.code in matter]
    return [gate if gate.forbids_met else replace(gate, forbids_met=True) for gate in kept]


def _next(wrong: int, closed: Sequence[Gate]) -> str:
    if wrong:
        return "find out where the bytes changed, and verify again"
    stop = [gate.remedy for gate in closed if gate.forbids_met and gate.remedy]
    return "; ".join(dict.fromkeys(stop)) or "only a wrong byte"


def _reference(
    draft: Verdict, first: Checked, told: Finding, value: float, closed: Sequence[Gate]
) -> Verdict:
    trial = Trial(
        workload=first.stage.workload, phase=first.phase, values=(value,), unit="B",
        better="lower", record=first.record, stage=first.stage, counted=first.samples,
        dropped=(told,),
    )  # fmt: skip
    return reference(draft, trial, value, closed, "what came back wrong is")
