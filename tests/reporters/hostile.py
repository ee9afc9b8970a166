"""A record and a verdict in which every text tries to leave its place."""

from dataclasses import replace

from aibench.model import (
    Environment,
    Finding,
    Interpretation,
    NfsFigures,
    NfsOperation,
    RunRecord,
    Status,
    System,
    Telemetry,
    ToolRun,
    Verdict,
)
from tests import build
from tests.reporters.records import histogram
from tests.reporters.verdicts import claim, verdict

SECOND = 10**9
#: Every way that a text can try to leave its place.
HOSTILE = (
    "</script><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\">'\"`|*_[x](javascript:1)@all\x1b[31m\x1b]0;x\x07"
    "\x9b2J\u2028\u202egnp\u202c{{7*7}}{%x%}<!--]]>&lt;\udc80${1}"
)


def hostile(text: str = HOSTILE) -> RunRecord:
    """A record with ``text`` in every field that holds text."""
    found = (Finding(code=text, message=text),)
    phase = build.phase(name=text, population=build.population(format=text))
    stage = build.stage(workload=text, title=text, imitates=text, engine=text, phases=(phase,))
    no = replace(stage, workload=text + "2", refusal=text)
    workers = (replace(build.measurement().workers[0], host=text),)
    tool = ToolRun(name=text, version=text, command=(text,), job=text + "\n" + text)
    measured = build.measurement(
        timers={text: SECOND}, workers=workers, tool=tool, warnings=found,
        histograms={"whole": histogram(0, 1e6, 4000), text: histogram(0, 1e6, 400)},
    )  # fmt: skip
    evidence = build.evidence(
        reason=text, resident_method=text, delivered_source=text, eviction=text
    )
    watched = Telemetry(
        ends_ns=(SECOND // 2, SECOND),
        series={f"device.{text}.utilisation_share": (0.5, 0.6), text: (None, 1.0)},
        cost_ns=1, watched_ns=SECOND,
    )  # fmt: skip
    operation = NfsOperation(
        name=text, operations=1, transmissions=1, timeouts=0, sent_bytes=1, received_bytes=1,
        queue_ns=1, round_trip_ns=1, execute_ns=1,
    )  # fmt: skip
    samples = [
        build.sample(
            n, workload=text, phase=text, started_at=text, measurement=measured,
            evidence=evidence, warnings=found, reasons=found if n else (),
            telemetry=watched, nfs=NfsFigures(operations=(operation,)),
        )
        for n in range(3)
    ]  # fmt: skip
    target = build.target(
        path=text, label=text, mount_point=text, fstype=text, source=text, options=(text,),
        device_id=text, device=text, server=text,
    )  # fmt: skip
    system = System(
        vendor=text, product=text, unit=text, units=1, digest=text, unit_definition=text,
        version=text, protection=text, currency=text, extra={text: text},
    )  # fmt: skip
    environment = Environment(key={text: text}, metadata={text: text})
    return build.record(
        *samples, run_id=text, started_at=text, finished_at=text, aibench_version=text,
        command=(text,), plan=build.plan(stage, no, name=text), target=target, system=system,
        environment=environment, engines={text: text}, warnings=found, reasons=found,
    )  # fmt: skip


def hostile_verdict(text: str = HOSTILE) -> Verdict:
    """A verdict with ``text`` in every field that holds text."""
    claimed = claim(
        id=text, title=text, vendor=text, product=text, quote=text, source=text, date=text,
        scope=text, unit_as_printed=text, unit_definition=text, configuration=text,
        stated=(text,), unstated=(text,), defects=(text,), untestable_part=text, origin=text,
        interpretations=(
            Interpretation(id=text, value=10**10, note=text),
            Interpretation(id="b", value=10**9, note=text),
        ),
    )  # fmt: skip
    found = verdict(Status.NOT_TESTABLE_HERE, claimed, 1e9, 1.1e9, 1.2e9)
    reason = Finding(code=text, message=text)
    return replace(found, reasons=(reason,), next_step=text, workload=text, phase=text)
