"""Whether this process was started by an MPI launcher as one of several: its environment tells.

Nothing of MPI is imported for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from aibench.errors import Refused

#: Who sets the number of a rank, and how many there are, in variables of their own. The first that
#: is found counts: those of a launcher come before those of a protocol that it may speak inside
#: another's job, and what a resource manager sets beside them comes last.
_VARIABLES = (
    ("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MVAPICH", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("PMI", "PMI_RANK", "PMI_SIZE"),
    ("JSM", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE"),
    ("PALS", "PALS_RANKID", "PALS_SIZE"),
    ("Flux", "FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
    ("PMIx", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"),
)

#: The number of a rank among those of its host.
_LOCAL = (
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "JSM_NAMESPACE_LOCAL_RANK",
    "PALS_LOCAL_RANKID",
    "FLUX_TASK_LOCAL_ID",
    "SLURM_LOCALID",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One of several processes that a launcher started; ``size`` is None where it does not say."""

    rank: int
    size: int | None
    launcher: str


def launched(environment: Mapping[str, str]) -> Launch | None:
    """What the launcher says of this process; None where it is alone.

    `Refused` where ``srun`` started several that can't find one another: each would run by itself,
    and all of them on one directory.
    """
    for launcher, rank_name, size_name in _VARIABLES:
        rank, size = _number(environment, rank_name), _number(environment, size_name)
        if rank is not None:
            alone = size == 1
            return None if alone else Launch(rank=rank, size=size, launcher=launcher)
    tasks = _number(environment, "SLURM_STEP_NUM_TASKS") or 1
    if tasks > 1 and _number(environment, "SLURM_PROCID") is not None:
        raise Refused(
            f"srun started {tasks} processes and no MPI with them, so each would measure by "
            "itself on the same directory: use srun --mpi=pmix (srun --mpi=list shows what there "
            "is), or srun --ntasks=1 for a single one"
        )
    return None


def require_mpi(launch: Launch) -> None:
    """`Refused` where the ranks could not speak with one another; MPI is not loaded for it."""
    if find_spec("mpi4py") is None:
        count = "several processes" if launch.size is None else f"{launch.size} processes"
        raise Refused(
            f"{launch.launcher} started {count}, and without mpi4py each would measure by itself "
            "on the same directory: on each host, pip install 'aibench[mpi]'"
        )


def leads_host(environment: Mapping[str, str]) -> bool:
    """Whether this process is the first of its host, as far as the launcher tells."""
    numbers = (_number(environment, name) for name in _LOCAL)
    return not next((number for number in numbers if number is not None), 0)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None
