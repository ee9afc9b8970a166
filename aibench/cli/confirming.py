"""Runs again what a gate flagged, on the same mount, with the same plan."""

from collections.abc import Iterable
from dataclasses import replace

from aibench.cli import output, results
from aibench.cli.fitness import misfits
from aibench.cli.measuring import Asked, Session, possible, workspace_on
from aibench.cli.named import Engines, find_target
from aibench.cli.party import gathered
from aibench.cli.signals import interruptible
from aibench.errors import Refused, RunFailed
from aibench.history import CONFIRMS
from aibench.identity import mount_facts
from aibench.model import Plan, RunRecord
from aibench.model.history import Checked


def rerun(
    record: RunRecord, flagged: Iterable[Checked], target: str, times: int, results_dir: str | None,
    patience_ns: int,
) -> list[RunRecord]:  # fmt: skip
    """Records of the flagged workloads of ``record``, measured again on ``target``.

    `Refused` where the target is not the mount of the record, `RunFailed` where a run did not end
    well.
    """
    place = find_target(target, record.target.label, None)
    if mount_facts(place) != mount_facts(record.target):
        raise Refused(
            f"{target} is not the mount that {record.run_id} measured: "
            f"{place.fstype} {place.source} ({','.join(place.options)}) against "
            f"{record.target.fstype} {record.target.source} ({','.join(record.target.options)})"
        )
    party = gathered(target, record.target.label, None)
    party.refuse_other(record)
    plan = _part(record.plan, {each.id.workload for each in flagged})
    if problems := misfits(plan, place, party.memory_bytes):
        raise Refused("\n".join(problems))
    folder, remarks = results.directory(results_dir, place)
    results.prepare(folder)
    labels = {**record.labels, CONFIRMS: record.run_id}
    asked = Asked(place, plan, Engines(), record.system, labels=labels, name="confirm", party=party)
    found = []
    with interruptible():
        workspace = workspace_on(place)
        try:
            workspace.lock()
            for number in range(times):
                output.say(f"measuring again, {number + 1} of {times}")
                session = Session(possible(asked, workspace), folder, remarks)
                again, path = session.measure(workspace, patience_ns)
                output.say(f"record  {path}")
                if again.reasons:
                    raise RunFailed(f"the run failed: {again.reasons[0].message}")
                found.append(again)
        finally:
            workspace.close()
    return found


def _part(plan: Plan, workloads: set[str]) -> Plan:
    """The stages of ``plan`` that are about ``workloads``."""
    stages = tuple(stage for stage in plan.stages if stage.workload in workloads)
    return replace(plan, stages=stages)
