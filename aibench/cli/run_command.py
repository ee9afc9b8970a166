"""``aibench run``: plan, prepare, calibrate, measure, store, judge, report."""

import os
import shlex
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

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
from aibench.probes import environment, links
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
    patience_ns = parse_duration(patience)
    tell_patience(patience_ns)
    known_system, known_claims = chosen_system(system), chosen_claims(claims)
    place = find_target(target, given.pop("label"), given.pop("fstype"))
    plan, engines = build_plan(place, given)
    refuse_if_nothing_runs(plan)
    if problems := misfits(plan, place):
        raise Refused("\n".join(problems))
    folder, remarks = results.directory(results_dir, place)
    results.prepare(folder)
    with interruptible():
        workspace = _workspace(place)
        try:
            workspace.lock()
            plan = without_direct(plan, workspace)
            refuse_if_nothing_runs(plan)
            session = _Session(place, plan, engines, known_system, folder, remarks)
            record, path = session.measure(workspace, patience_ns)
            _tidy(workspace, keep=keep)
        finally:
            workspace.close()
    _conclude(record, path, known_claims, as_json=as_json)


def _workspace(place: Target) -> Workspace:
    try:
        return make(place.path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"nothing can be written in {place.path}: {why}") from error


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
        tell_record(writer.path)
        samples: list[Sample] = []
        reasons: tuple[Finding, ...] = ()
        try:
            with closing(self._samples(workspace, record.environment, patience_ns)) as coming:
                for sample in coming:
                    samples.append(sample)
                    writer.add(sample)
        except AibenchError as error:
            reasons = (Finding(code=error.code, message=str(error)),)
        except BaseException as error:
            reasons = (Finding(code="bug", message=f"{type(error).__name__}: {error}"),)
            raise
        finally:
            writer.finish(reasons)
            tell_record("")
        finished = replace(
            record, samples=tuple(samples), finished_at=now(), complete=True, reasons=reasons
        )
        return finished, writer.path

    def _samples(
        self, workspace: Workspace, client: Environment, patience_ns: int
    ) -> Generator[Sample, None, None]:
        """The samples of the run as they come; its progress is shown."""
        progress = Progress(self.plan)
        runner = Runner(
            workspace=workspace,
            target=self.target,
            environment=client,
            engines=self.engines,
            host=os.uname().nodename,
            patience_ns=patience_ns,
            listen=progress,
        )
        try:
            with closing(runner.run(self.plan)) as samples:
                yield from samples
        finally:
            progress.finish()

    def _header(self, workspace: Workspace) -> RunRecord:
        remarks = self.remarks
        problem = workspace.lock_problem or _local_locks(self.target)
        if problem is not None:
            message = f"{problem}: another run would not be noticed"
            remarks += (Finding(code="not_locked", message=message),)
        used = {stage.engine for stage in self.plan.stages if stage.refusal is None}
        return RunRecord(
            run_id=new_run_id(self.plan.name),
            started_at=now(),
            aibench_version=__version__,
            command=("aibench", *sys.argv[1:]),
            plan=self.plan,
            target=self.target,
            environment=_client(self.target),
            system=self.system,
            engines={name: self.engines[name].version() or "" for name in sorted(used)},
            warnings=remarks,
        )


def _client(target: Target) -> Environment:
    """This machine, and what the link to the target's device can carry where that is known."""
    client = environment.environment(__version__)
    rates = links.device_rates([target.device] if target.device else [])
    known = {f"link_{name}": rate for name, rate in rates.items()}
    return replace(client, metadata={**client.metadata, **known})


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


def _conclude(record: RunRecord, path: str, claims: Sequence[Claim], *, as_json: bool) -> None:
    """Judge, report, and exit with the code that the result has."""
    verdicts = judge(record, claims, record.system)
    derived = document(record, verdicts)
    form = "json" if as_json else "terminal"
    output.show(output.render(derived, form, color=output.use_color()))
    output.say(f"record  {shlex.quote(path)}")
    for reason in record.reasons:
        output.say(f"the run failed: {reason.message}")
    page = path.removesuffix(".jsonl") + ".html"
    output.write_file(page, output.render(derived, "html"))
    output.say(f"report  {shlex.quote(page)}")
    raise SystemExit(4 if record.reasons else output.exit_code(verdicts))
