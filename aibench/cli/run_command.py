"""``aibench run``: plan, prepare, calibrate, measure, store, judge, report."""

import os
import shlex
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import click

from aibench import __version__
from aibench.cli import output, results
from aibench.cli.fitness import misfits, refuse_if_nothing_runs, without_direct
from aibench.cli.options import (
    Engines,
    build_plan,
    chosen_claims,
    chosen_system,
    find_target,
    plan_options,
)
from aibench.cli.progress import Progress
from aibench.cli.resuming import Resumed, refuse_decided, refuse_other, resumed
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience, tell_record
from aibench.errors import AibenchError, Refused
from aibench.judge import judge
from aibench.model import (
    Claim,
    Environment,
    Finding,
    Plan,
    RunRecord,
    Sample,
    System,
    Target,
)
from aibench.probes import environment, mounts, noise
from aibench.reporters.document import document
from aibench.runner import Runner
from aibench.store import Writer, new_run_id, now
from aibench.units import parse_duration
from aibench.workspace import Workspace
from aibench.workspace.clean import clean
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
    if problems := misfits(asked.plan, asked.target):
        raise Refused("\n".join(problems))
    folder, remarks = results.directory(results_dir, asked.target)
    results.prepare(folder)
    with interruptible():
        workspace = _workspace(asked.target)
        try:
            workspace.lock()
            session = _Session(_possible(asked, workspace), folder, remarks)
            record, path = session.measure(workspace, patience_ns)
            _tidy(workspace, keep=keep)
        finally:
            workspace.close()
    _conclude(record, path, known_claims, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for: a plan, of which ``resumed`` has some already."""

    target: Target
    plan: Plan
    engines: Engines
    system: System | None
    resumed: Resumed | None = None


def _whole_plan(target: str, given: dict[str, Any]) -> _Asked:
    system = chosen_system(given["system"])
    place = find_target(target, given["label"], given["fstype"])
    plan, engines = build_plan(place, given)
    return _Asked(place, plan, engines, system)


def _rest(before: Resumed, target: str, fstype: str | None) -> _Asked:
    """What a record leaves to do. `Refused` where it can't go on here and now."""
    record = before.record
    place = find_target(target, record.target.label, fstype)
    engines = Engines()
    refuse_other(record, place, environment.environment(target=place), engines)
    return _Asked(place, record.plan, engines, record.system, before)


def _possible(asked: _Asked, workspace: Workspace) -> _Asked:
    """Without stages that need O_DIRECT where there is none. `Refused` when none is left."""
    plan = without_direct(asked.plan, workspace)
    if asked.resumed is not None and plan != asked.plan:
        raise Refused(f"O_DIRECT was possible on {asked.target.path} and is not any more")
    refuse_if_nothing_runs(plan)
    return replace(asked, plan=plan)


def _workspace(place: Target) -> Workspace:
    try:
        return make(place.path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"nothing can be written in {place.path}: {why}") from error


@dataclass(frozen=True, slots=True)
class _Session:
    """One run from the header of its record to its last line."""

    asked: _Asked
    folder: str
    remarks: tuple[Finding, ...]

    def measure(self, workspace: Workspace, patience_ns: int) -> tuple[RunRecord, str]:
        """(record, path) of the run; what ends it early is among the record's reasons."""
        record = self._header(workspace)
        samples = list(self.asked.resumed.kept) if self.asked.resumed else []
        writer = Writer(self.folder, record, samples)
        tell_record(writer.path)
        reasons: tuple[Finding, ...] = ()
        changes: tuple[Finding, ...] = ()
        try:
            with closing(self._samples(workspace, record.environment, patience_ns)) as coming:
                for sample in coming:
                    samples.append(sample)
                    writer.add(sample)
            changes = self._changes(record)
        except AibenchError as error:
            reasons = (Finding(code=error.code, message=str(error)),)
        except BaseException as error:
            reasons = (Finding(code="bug", message=f"{type(error).__name__}: {error}"),)
            raise
        finally:
            writer.finish(reasons, changes)
            tell_record("")
        record = replace(record, warnings=record.warnings + changes, reasons=reasons)
        finished = replace(record, samples=tuple(samples), finished_at=now(), complete=True)
        return finished, writer.path

    def _changes(self, record: RunRecord) -> tuple[Finding, ...]:
        """What is not as it was when the run began. The mount itself is not touched for it."""
        target = self.asked.target
        client = environment.environment(target=target)
        return noise.after(record.environment, client, target, mounts.mounted())

    def _samples(
        self, workspace: Workspace, client: Environment, patience_ns: int
    ) -> Generator[Sample, None, None]:
        """The samples of the run as they come; its progress is shown."""
        kept = self.asked.resumed.kept if self.asked.resumed else ()
        progress = Progress(self.asked.plan, len(kept))
        runner = Runner(
            workspace=workspace,
            target=self.asked.target,
            environment=client,
            engines=self.asked.engines,
            host=os.uname().nodename,
            patience_ns=patience_ns,
            listen=progress,
        )
        try:
            with closing(runner.run(self.asked.plan, kept)) as samples:
                yield from samples
        finally:
            progress.finish()

    def _header(self, workspace: Workspace) -> RunRecord:
        asked, remarks = self.asked, self.remarks
        problem = workspace.lock_problem or _local_locks(asked.target)
        if problem is not None:
            message = f"{problem}: another run would not be noticed"
            remarks += (Finding(code="not_locked", message=message),)
        if asked.resumed is not None:
            remarks = (*asked.resumed.record.warnings, asked.resumed.finding(), *remarks)
        client = environment.environment(target=asked.target)
        remarks += noise.before(client, asked.target)
        used = {stage.engine for stage in asked.plan.stages if stage.refusal is None}
        return RunRecord(
            run_id=new_run_id(asked.plan.name),
            started_at=now(),
            aibench_version=__version__,
            command=("aibench", *sys.argv[1:]),
            plan=asked.plan,
            target=asked.target,
            environment=client,
            system=asked.system,
            engines={name: asked.engines[name].version() or "" for name in sorted(used)},
            warnings=tuple(dict.fromkeys(remarks)),
            resumes=asked.resumed.record.run_id if asked.resumed else None,
        )


def _local_locks(target: Target) -> str | None:
    """The mount option that keeps locks from other clients, in words; None where there is none."""
    found = {"nolock", "local_lock=all", "local_lock=flock"} & set(target.options)
    return f"the mount option {min(found)} hides locks from other clients" if found else None


def _tidy(workspace: Workspace, *, keep: bool) -> None:
    """Remove the data where it is not to stay, and name what is left against the rules."""
    try:
        if not keep:
            cleaned = clean(workspace)
            for path in cleaned.left:
                output.say(f"left alone, because aibench did not make it: {path}")
            for path in cleaned.busy:
                output.say(f"a file in it is still open, clean when it is closed: {path}")
    except OSError as error:
        output.say(f"the data could not be removed: {(error.strerror or str(error)).lower()}")
    scratch = workspace.path("scratch")
    if os.path.lexists(scratch):
        output.say(f"scratch files are left in {scratch}; 'aibench clean' removes them")


def _conclude(record: RunRecord, path: str, claims: Sequence[Claim], *, as_json: bool) -> NoReturn:
    """Judge, report, and exit with the code that the result has."""
    verdicts = judge(record, claims, record.system)
    derived = document(record, verdicts)
    form = "json" if as_json else "terminal"
    output.show(output.render(derived, form, color=output.use_color()))
    output.say(f"record  {shlex.quote(path)}")
    for reason in record.reasons:
        output.say(f"the run failed: {reason.message}")
    if record.reasons:
        words = ("aibench", "run", record.target.path, "--resume", path)
        output.say(f"to measure what is missing: {shlex.join(words)}")
    page = path.removesuffix(".jsonl") + ".html"
    output.write_file(page, output.render(derived, "html"))
    output.say(f"report  {shlex.quote(page)}")
    raise SystemExit(4 if record.reasons else output.exit_code(verdicts))
