"""What speaks against a run before it has written anything."""

from dataclasses import replace

from aibench.errors import Refused, TargetError
from aibench.formats.files import space_bytes
from aibench.model import CachePolicy, Plan, Population, Target
from aibench.planner import unfit
from aibench.probes import resources
from aibench.probes.direct import direct_problem
from aibench.workspace import Workspace, dataset, find


def misfits(plan: Plan, target: Target, memory_bytes: int | None = None) -> list[str]:
    """Why space, inodes or memory would not suffice for what is not there yet; touches nothing.

    ``memory_bytes`` is what may be taken, where that is not what this process may take.
    `WorkspaceError` where the directory on the target is not aibench's, or its data was changed.
    """
    workspace = find(target.path)
    try:
        present = {
            phase.population.directory: _present(workspace, phase.population)
            for stage in plan.stages
            for phase in stage.phases
            if phase.population.persistent and stage.refusal is None
        }
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise TargetError(f"the data on {target.path} can't be looked at: {why}") from error
    finally:
        if workspace is not None:
            workspace.close()
    free = resources.available_memory() if memory_bytes is None else memory_bytes
    return unfit(plan, target, free, present)


def _present(workspace: Workspace | None, population: Population) -> int:
    """How many bytes of a data set are on the target already."""
    missing = len(dataset.state(workspace, population).missing)
    share = 1 - missing / max(dataset.granules(population), 1)
    return int(space_bytes(population) * share)


def refuse_if_nothing_runs(plan: Plan) -> None:
    """`Refused`, with every reason, when no stage of ``plan`` can be run."""
    if all(stage.refusal is not None for stage in plan.stages):
        raise Refused("\n".join(f"{stage.workload}: {stage.refusal}" for stage in plan.stages))


def without_direct(plan: Plan, workspace: Workspace) -> Plan:
    """``plan`` with every stage refused that needs O_DIRECT where the filesystem has none.

    Tries it with one small file in the workspace.
    """
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
