"""Whether claims hold on what records measured: a pure function, repeatable years later."""

from collections.abc import Sequence
from dataclasses import replace

from aibench.judge import absolute, functional, growth, model_claims, ratios, sides, within
from aibench.judge.verdicts import without
from aibench.model import (
    BaselineSource,
    Claim,
    ClaimKind,
    Finding,
    Interpretation,
    Means,
    RunRecord,
    Status,
    System,
    Verdict,
)


def judge(
    records: RunRecord | Sequence[RunRecord],
    claims: Sequence[Claim],
    system: System | None,
    baseline: Sequence[RunRecord] = (),
) -> tuple[Verdict, ...]:
    """One verdict for each interpretation of each claim, in the order of ``claims``.

    ``records`` are runs on the system under test; ``system`` says what it is, in place of what
    they say themselves, and without either nothing is met or not met. ``baseline`` are runs on
    what ratios are over, each described by its own system file if at all.
    """
    given = [records] if isinstance(records, RunRecord) else records
    candidates = [replace(r, system=system or r.system) for r in sides.counting(given)]
    baseline = sides.counting(baseline)
    found: list[Verdict] = []
    for claim in claims:
        readings = [
            _verdict(claim.under(reading), reading, candidates, baseline)
            for reading in claim.interpretations
        ]
        found += _split(readings)
    return tuple(found)


def _verdict(
    claim: Claim,
    reading: Interpretation,
    candidates: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
) -> Verdict:
    if claim.testability is Means.NEVER:
        step = f"instead: {claim.proxy}" if claim.proxy else ""
        code = claim.untestable or "not_storage"
        return without(claim, reading, Status.NOT_TESTABLE, code, next_step=step)
    if reading.value is None:
        return without(claim, reading, Status.NOT_TESTABLE_HERE, *claim.needs, "no_number")
    if claim.model is not None:
        return model_claims.judged(claim, reading, candidates, baseline)
    if missing := lacking(claim, candidates):
        step = f"instead: {claim.proxy}" if claim.proxy else ""
        return without(claim, reading, Status.NOT_TESTABLE_HERE, *missing, next_step=step)
    return _measured(claim, reading, candidates, baseline)


def _measured(
    claim: Claim,
    reading: Interpretation,
    candidates: Sequence[RunRecord],
    baseline: Sequence[RunRecord],
) -> Verdict:
    """The verdict on what runs can show by themselves."""
    source = claim.baseline.source if claim.baseline else BaselineSource.RECORDS
    if claim.kind is ClaimKind.SCALING:
        return growth.judged(claim, reading, candidates)
    if claim.kind is ClaimKind.FUNCTIONAL:
        return functional.judged(claim, reading, candidates)
    if claim.kind is not ClaimKind.RATIO:
        return absolute.judged(claim, reading, candidates)
    if source is BaselineSource.FIRST_EPOCH:
        return within.epochs(claim, reading, candidates)
    if source is BaselineSource.PACKED_SHARDS:
        return within.packing(claim, reading, candidates)
    return ratios.judged(claim, reading, candidates, baseline)


def lacking(claim: Claim, records: Sequence[RunRecord]) -> tuple[str, ...]:
    """The codes of what the claim needs and no system file says to be there.

    ``provides`` in its table ``extra`` lists them: ``provides = "vendor runtime, second site"``.
    More units are seen in the records, not told, and where bytes are compared so is a second
    protocol.
    """
    seen = {"needs_more_units"}
    if claim.kind is ClaimKind.FUNCTIONAL:
        seen.add(functional.SECOND_PROTOCOL)
    told = [r.system.extra.get("provides", "") for r in records if r.system is not None]
    words = {word.strip().replace(" ", "_") for text in told for word in text.split(",")}
    return tuple(
        code
        for code in claim.needs
        if code not in seen and code.removeprefix("needs_") not in words
    )


def _split(readings: list[Verdict]) -> list[Verdict]:
    """Where one reading is met and another one is not, each says so: the print decides nothing."""
    met = [v.interpretation.id for v in readings if v.status is Status.MET]
    missed = [v.interpretation.id for v in readings if v.status is Status.NOT_MET]
    if not (met and missed):
        return readings
    message = (
        f"the print can be read in several ways: met as {', '.join(met)}, not met as "
        f"{', '.join(missed)}"
    )
    finding = Finding(code="interpretation_split", message=message)
    return [replace(verdict, reasons=(*verdict.reasons, finding)) for verdict in readings]
