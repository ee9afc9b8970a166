"""What ``aibench run`` does, from the plan to the last line of the record."""

from collections.abc import Sequence
from typing import Any, NoReturn

import click

from aibench.cli import output, results
from aibench.cli.chosen import chosen_claims, chosen_system
from aibench.cli.fitness import misfits, refuse_if_nothing_runs
from aibench.cli.measuring import Asked, Session, possible, tidy, workspace_on
from aibench.cli.named import Engines, find_target
from aibench.cli.party import gathered
from aibench.cli.planned import build_plan
from aibench.cli.resuming import Resumed, refuse_decided, refuse_other, resumed
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience
from aibench.errors import Refused
from aibench.model import Claim, RunRecord
from aibench.probes import environment
from aibench.units import parse_duration


def run(
    target: str,
    given: dict[str, Any],
    *,
    claims: Sequence[str],
    results_dir: str | None,
    resume: str | None,
    patience: str,
    keep: bool,
    as_json: bool,
) -> NoReturn:
    """Measure ``target`` as the options ``given`` say, or what ``resume`` lacks; judge, report.

    Exits with the code that the result has. `Refused` before anything is written.
    """
    patience_ns = parse_duration(patience)
    tell_patience(patience_ns)
    known_claims = chosen_claims(claims)
    if resume is None:
        asked = _whole_plan(target, given)
    else:
        refuse_decided(click.get_current_context())
        record, path = results.load(resume, results_dir)
        asked = _rest(resumed(record), target, given["fstype"])
        if asked.resumed is not None and asked.resumed.is_whole:
            output.say(f"nothing is left to measure of {record.run_id}")
            _conclude(record, path, known_claims, as_json=as_json)
    refuse_if_nothing_runs(asked.plan)
    if problems := misfits(asked.plan, asked.target, asked.party.memory_bytes):
        raise Refused("\n".join(problems))
    folder, remarks = results.directory(results_dir, asked.target)
    results.prepare(folder)
    with interruptible():
        workspace = workspace_on(asked.target)
        try:
            workspace.lock()
            session = Session(possible(asked, workspace), folder, remarks)
            record, path = session.measure(workspace, patience_ns)
            tidy(workspace, keep=keep)
        finally:
            workspace.close()
    _conclude(record, path, known_claims, as_json=as_json)


def _whole_plan(target: str, given: dict[str, Any]) -> Asked:
    system = chosen_system(given["system"])
    place = find_target(target, given["label"], given["fstype"])
    party = gathered(target, given["label"], given["fstype"])
    plan, engines = build_plan(place, given, cpus=party.cpus, fleet=party.fleet)
    return Asked(place, plan, engines, system, party=party)


def _rest(before: Resumed, target: str, fstype: str | None) -> Asked:
    """What a record leaves to do. `Refused` where it can't go on here and now."""
    record = before.record
    place = find_target(target, record.target.label, fstype)
    engines = Engines()
    refuse_other(record, place, environment.environment(target=place), engines)
    party = gathered(target, record.target.label, fstype)
    party.refuse_other(record)
    return Asked(place, record.plan, engines, record.system, before, party=party)


def _conclude(record: RunRecord, path: str, claims: Sequence[Claim], *, as_json: bool) -> NoReturn:
    """Judge and report, which nothing is loaded for while it is measured."""
    from aibench.cli.concluding import conclude

    conclude(record, path, claims, as_json=as_json)
