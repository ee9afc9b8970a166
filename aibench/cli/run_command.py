"""``aibench run``: plan, prepare, calibrate, measure, store, judge, report."""

import shlex
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from aibench.cli import output, results
from aibench.cli.beside import full_document
from aibench.cli.fitness import misfits, refuse_if_nothing_runs
from aibench.cli.measuring import Asked, Session, possible, tidy, workspace_on
from aibench.cli.options import (
    Engines,
    build_plan,
    chosen_claims,
    chosen_system,
    find_target,
    plan_options,
)
from aibench.cli.party import gathered
from aibench.cli.resuming import Resumed, refuse_decided, refuse_other, resumed
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience
from aibench.errors import Refused
from aibench.judge import judge
from aibench.model import Claim, RunRecord
from aibench.probes import environment
from aibench.units import parse_duration


@click.command("run")
@click.argument("target", type=click.Path())
@plan_options
@click.option("--system", metavar="FILE", help="What the mount is: vendor, product, units (TOML).")
@click.option(
    "--claims",
    multiple=True,
    metavar="FILE|ID",
    help="Judge these claims; default: all shipped ones.",
)
@click.option(
    "--results",
    "results_dir",
    metavar="DIR",
    help="Where the record goes.  [default: $AIBENCH_RESULTS, else results/runs]",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Measure only what is missing of a record: a file, an id, or 'last'.",
)
@click.option(
    "--patience",
    default="120s",
    show_default=True,
    metavar="TIME",
    help="End a phase in which nothing happens for this long.",
)
@click.option(
    "--keep/--no-keep", default=True, help="Keep the data sets for the next run.  [default: keep]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(
    target: str,
    claims: tuple[str, ...],
    results_dir: str | None,
    resume: str | None,
    patience: str,
    keep: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Benchmark the directory TARGET on a mounted filesystem.

    Writes only inside TARGET/aibench-data, keeps a record of every sample, and ends with the
    verdicts on vendors' claims, the path of the record, and an HTML report beside it.

    With --resume the samples of a run that stopped are carried into a new record, with the plan,
    label and system of the old one.
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
    """Judge, report, and exit with the code that the result has."""
    verdicts = judge(record, claims, record.system)
    derived = full_document(record, verdicts)
    form = "json" if as_json else "terminal"
    output.show(output.render(derived, form, color=output.use_color()))
    output.say(f"record  {shlex.quote(path)}")
    for reason in record.reasons:
        output.say(f"the run failed: {reason.message}")
    if record.reasons:
        words = ("aibench", "run", record.target.path, "--resume", path)
        where = ", under the same launcher" if record.launch else ""
        output.say(f"to measure what is missing{where}: {shlex.join(words)}")
    page = path.removesuffix(".jsonl") + ".html"
    output.write_file(page, output.render(derived, "html"))
    output.say(f"report  {shlex.quote(page)}")
    raise SystemExit(4 if record.reasons else output.exit_code(verdicts))
