"""``aibench run``: plan, prepare, calibrate, measure, store, judge, report."""

import os
import shlex
import sys
from dataclasses import dataclass, replace
from typing import Any

import click

from aibench import __version__
from aibench.cli import output, results
from aibench.cli.options import (
    Engines,
    build_plan,
    chosen_claims,
    chosen_system,
    find_target,
    plan_options,
    refuse_if_nothing_runs,
)
from aibench.cli.progress import Progress
from aibench.cli.signals import interruptible
from aibench.errors import Refused, RunFailed
from aibench.formats.files import total_bytes
from aibench.judge import judge
from aibench.model import CachePolicy, Finding, Plan, RunRecord, System, Target
from aibench.planner import unfit
from aibench.probes import environment, resources
from aibench.probes.direct import direct_problem
from aibench.reporters.document import document
from aibench.runner import Runner
from aibench.store import Writer, new_run_id, now
from aibench.units import parse_duration
from aibench.workspace import Workspace, dataset, find
from aibench.workspace.root import make


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
    system: str | None,
    claims: tuple[str, ...],
    results_dir: str | None,
    patience: str,
    keep: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Benchmark the directory TARGET on a mounted filesystem.

    Writes only inside TARGET/aibench-data, keeps a record of every sample, and ends with the
    verdicts on vendors' claims, the path of the record, and an HTML report beside it.
    """
    place = find_target(target, given.pop("label"), given.pop("fstype"))
    known_system, known_claims = chosen_system(system), chosen_claims(claims)
    patience_ns = parse_duration(patience)
    plan, engines = build_plan(place, given)
    refuse_if_nothing_runs(plan)
    _refuse_unfit(plan, place)
    folder, remarks = results.directory(results_dir, place)
    with interruptible():
        try:
            workspace = make(place.path)
        except OSError as error:
            raise Refused(f"{place.path}: {(error.strerror or str(error)).lower()}") from error
        try:
            workspace.lock()
            plan = _without_direct(plan, workspace)
            refuse_if_nothing_runs(plan)
            session = _Session(place, plan, engines, known_system, folder, remarks)
            record, path = session.measure(workspace, patience_ns)
            if not keep:
                _remove(workspace)
        finally:
            workspace.close()
    _conclude(record, path, known_claims, as_json=as_json)


def _refuse_unfit(plan: Plan, target: Target) -> None:
    """`Refused` when space, inodes or memory would not suffice for what is not there yet."""
    workspace = find(target.path)
    present: dict[str, int] = {}
    for stage in plan.stages:
        for phase in stage.phases:
            population = phase.population
            if population.persistent and stage.refusal is None:
                missing = len(dataset.state(workspace, population).missing)
                share = 1 - missing / max(dataset.granules(population), 1)
                present[population.directory] = int(total_bytes(population) * share)
    if workspace is not None:
        workspace.close()
    if problems := unfit(plan, target, resources.available_memory(), present):
        raise Refused("\n".join(problems))


def _without_direct(plan: Plan, workspace: Workspace) -> Plan:
    """``plan`` with every stage refused that needs O_DIRECT where the filesystem has none."""
    wants = [
        stage.refusal is None and any(p.cache is CachePolicy.DIRECT for p in stage.measured)
        for stage in plan.stages
    ]
    if not any(wants):
        return plan
    try:
        problem = direct_problem(workspace.root)
    except OSError as error:
        raise Refused(f"{workspace.root}: {(error.strerror or str(error)).lower()}") from error
    if problem is None:
        return plan
    refusal = f"cache policy direct is not possible here: {problem}; use --cache cold"
    stages = (
        replace(stage, refusal=refusal) if want else stage
        for stage, want in zip(plan.stages, wants, strict=True)
    )
    return replace(plan, stages=tuple(stages))


@dataclass(frozen=True, slots=True)
class _Session:
    """One run from the header of its record to its last line."""

    target: Target
    plan: Plan
    engines: Engines
    system: System | None
    folder: str
    remarks: tuple[Finding, ...]

    def measure(self, workspace: Workspace, patience_ns: int) -> tuple[RunRecord, str]:
        """(record, path) of the run; what ends it early is among the record's reasons."""
        record = self._header(workspace)
        writer = Writer(self.folder, record)
        progress = Progress(self.plan)
        runner = Runner(
            workspace=workspace,
            target=self.target,
            engines=self.engines,
            host=os.uname().nodename,
            patience_ns=patience_ns,
            listen=progress,
        )
        samples = []
        reasons: tuple[Finding, ...] = ()
        try:
            for sample in runner.run(self.plan):
                writer.add(sample)
                samples.append(sample)
        except RunFailed as error:
            reasons = (Finding(code=error.code, message=str(error)),)
        except BaseException as error:
            reasons = (Finding(code="bug", message=f"{type(error).__name__}: {error}"),)
            raise
        finally:
            progress.finish()
            writer.finish(reasons)
        finished = replace(
            record, samples=tuple(samples), finished_at=now(), complete=True, reasons=reasons
        )
        return finished, writer.path

    def _header(self, workspace: Workspace) -> RunRecord:
        remarks = self.remarks
        if workspace.lock_problem is not None:
            message = f"{workspace.lock_problem}: another run would not be noticed"
            remarks += (Finding(code="not_locked", message=message),)
        used = {stage.engine for stage in self.plan.stages if stage.refusal is None}
        return RunRecord(
            run_id=new_run_id(self.plan.name),
            started_at=now(),
            aibench_version=__version__,
            command=("aibench", *sys.argv[1:]),
            plan=self.plan,
            target=self.target,
            environment=environment.environment(__version__),
            system=self.system,
            engines={name: self.engines[name].version() or "" for name in sorted(used)},
            warnings=remarks,
        )


def _remove(workspace: Workspace) -> None:
    from aibench.workspace.clean import clean

    left = clean(workspace).left
    if left:
        output.say(f"left alone, because aibench did not make it: {', '.join(left)}")


def _conclude(record: RunRecord, path: str, claims: Any, *, as_json: bool) -> None:
    """Judge, report, and exit with the code that the result has."""
    verdicts = judge(record, claims, record.system)
    derived = document(record, verdicts)
    page = path.removesuffix(".jsonl") + ".html"
    output.write_file(page, output.render(derived, "html"))
    if as_json:
        click.echo(output.render(derived, "json"))
    else:
        click.echo(output.render(derived, "terminal", color=output.use_color()))
    output.say(f"record  {shlex.quote(path)}")
    output.say(f"report  {shlex.quote(page)}")
    for reason in record.reasons:
        output.say(f"the run failed: {reason.message}")
    raise SystemExit(4 if record.reasons else output.exit_code(verdicts))
