"""One run from its plan to the last line of its record, for every command that measures."""

import os
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

from aibench import __version__
from aibench.cli import output
from aibench.cli.fitness import refuse_if_nothing_runs, without_direct
from aibench.cli.named import Engines
from aibench.cli.party import Party, alone
from aibench.cli.progress import Progress
from aibench.cli.resuming import Resumed
from aibench.cli.supervisor import tell_record
from aibench.crew import Member
from aibench.errors import AibenchError, Refused
from aibench.model import Environment, Finding, Plan, RunRecord, Sample, System, Target
from aibench.probes import environment, mounts, noise
from aibench.runner import Runner
from aibench.store import Writer, new_run_id, now
from aibench.workspace import Workspace
from aibench.workspace.clean import clean
from aibench.workspace.root import make


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for: a plan, of which ``resumed`` has some already.

    ``labels`` go into the record's header, ``name`` into its id instead of the plan's. The
    ``party`` measures it.
    """

    target: Target
    plan: Plan
    engines: Engines
    system: System | None
    resumed: Resumed | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    party: Party = field(default_factory=alone)


def possible(asked: Asked, workspace: Workspace) -> Asked:
    """Without stages that need O_DIRECT where there is none. `Refused` when none is left."""
    plan = without_direct(asked.plan, workspace)
    if asked.resumed is not None and plan != asked.plan:
        raise Refused(f"O_DIRECT was possible on {asked.target.path} and is not any more")
    refuse_if_nothing_runs(plan)
    return replace(asked, plan=plan)


def workspace_on(place: Target) -> Workspace:
    """The directory that aibench made on the target, or makes now. `Refused` where it can't."""
    try:
        return make(place.path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Refused(f"nothing can be written in {place.path}: {why}") from error


@dataclass(frozen=True, slots=True)
class Session:
    """One run from the header of its record to its last line."""

    asked: Asked
    folder: str
    remarks: tuple[Finding, ...]

    def measure(self, workspace: Workspace, patience_ns: int) -> tuple[RunRecord, str]:
        """(record, path) of the run; what ends it early is among the record's reasons.

        `Refused`, and no record, where the hosts can't measure together.
        """
        with self._together(workspace, patience_ns) as member:
            return self._measured(workspace, member)

    @contextmanager
    def _together(self, workspace: Workspace, patience_ns: int) -> Iterator[Member]:
        """All who measure; what they leave for each other goes at the end."""
        asked = self.asked
        try:
            yield asked.party.member(
                workspace, asked.target, asked.engines, self._used(), patience_ns
            )
        finally:
            asked.party.leave(workspace)

    def _measured(self, workspace: Workspace, member: Member) -> tuple[RunRecord, str]:
        record = self._header(workspace)
        samples = list(self.asked.resumed.kept) if self.asked.resumed else []
        writer = Writer(self.folder, record, samples)
        tell_record(writer.path)
        reasons: tuple[Finding, ...] = ()
        changes: tuple[Finding, ...] = ()
        try:
            with closing(self._samples(member, record.environment)) as coming:
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

    def _samples(self, member: Member, client: Environment) -> Generator[Sample, None, None]:
        """The samples of the run as they come; its progress is shown."""
        kept = self.asked.resumed.kept if self.asked.resumed else ()
        progress = Progress(self.asked.plan, len(kept))
        runner = Runner(
            member=member, environment=client, listen=progress, launch=self.asked.party.launch
        )
        try:
            with closing(runner.run(self.asked.plan, kept)) as samples:
                yield from samples
        finally:
            progress.finish()

    def _used(self) -> list[str]:
        """The engines of this run."""
        stages = self.asked.plan.stages
        return sorted({stage.engine for stage in stages if stage.refusal is None})

    def _header(self, workspace: Workspace) -> RunRecord:
        asked, remarks = self.asked, (*self.remarks, *self.asked.party.remarks)
        problem = workspace.lock_problem or _local_locks(asked.target)
        if problem is not None:
            message = f"{problem}: another run would not be noticed"
            remarks += (Finding(code="not_locked", message=message),)
        if asked.resumed is not None:
            remarks = (*asked.resumed.record.warnings, asked.resumed.finding(), *remarks)
        client = environment.environment(target=asked.target)
        remarks += noise.before(client, asked.target)
        return RunRecord(
            run_id=new_run_id(asked.name or asked.plan.name),
            started_at=now(),
            aibench_version=__version__,
            command=("aibench", *sys.argv[1:]),
            plan=asked.plan,
            target=asked.target,
            environment=client,
            system=asked.system,
            engines={name: asked.engines[name].version() or "" for name in self._used()},
            warnings=tuple(dict.fromkeys(remarks)),
            resumes=asked.resumed.record.run_id if asked.resumed else None,
            labels=dict(asked.labels),
            launch=asked.party.launch,
        )


def _local_locks(target: Target) -> str | None:
    """The mount option that keeps locks from other clients, in words; None where there is none."""
    found = {"nolock", "local_lock=all", "local_lock=flock"} & set(target.options)
    return f"the mount option {min(found)} hides locks from other clients" if found else None


def tidy(workspace: Workspace, *, keep: bool) -> None:
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
