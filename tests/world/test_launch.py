"""What a process knows of the launcher that started it, before anything of MPI is loaded."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from aibench.errors import Refused
from aibench.world.launch import Launch, launched, leads_host, require_mpi

_ROOT = Path(__file__).parents[2]
#: The command line, where there is no mpi4py, and where to load it would be an error.
_WITHOUT = "import sys; sys.modules['mpi4py'] = None; from aibench.cli import main; main()"
_FORBIDDEN = """\
import importlib.abc, sys
class Forbidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.startswith(("mpi4py", "aibench.world.mpi", "aibench.cli.ranks")):
            raise AssertionError(name)
sys.meta_path.insert(0, Forbidden())
from aibench.cli import main
main()
"""


def command(
    program: str, *arguments: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """How the command line ended, started with such an environment."""
    clean = {name: value for name, value in os.environ.items() if "PMI" not in name}
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**clean, **environment}, cwd=_ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "launch"),
    [
        ("", None),
        ("HOME=/root SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1", None),
        ("OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=4 PMIX_RANK=2", ("Open MPI", 2, 4)),
        ("PMI_RANK=1 PMI_SIZE=2 MPI_LOCALRANKID=1", ("PMI", 1, 2)),
        ("PMI_RANK=0 PMI_SIZE=1", None),
        ("PMI_RANK=0 PMI_SIZE=2 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=9", ("PMI", 0, 2)),
        ("PMIX_RANK=3 SLURM_STEP_NUM_TASKS=8 SLURM_PROCID=3", ("PMIx", 3, 8)),
        ("PMIX_RANK=3", ("PMIx", 3, None)),
        ("MV2_COMM_WORLD_RANK=0 MV2_COMM_WORLD_SIZE=3", ("MVAPICH", 0, 3)),
        ("PALS_RANKID=5 PALS_SIZE=6", ("PALS", 5, 6)),
        ("FLUX_TASK_RANK=1 FLUX_JOB_SIZE=2", ("Flux", 1, 2)),
        ("JSM_NAMESPACE_RANK=1 JSM_NAMESPACE_SIZE=2", ("JSM", 1, 2)),
        ("PMI_RANK=one PMI_SIZE=2", None),
        ("PMI_RANK=-1 PMI_SIZE=2", None),
    ],
)
def test_launchers(words: str, launch: tuple[str, int, int | None] | None) -> None:
    """Each launcher says in variables of its own who a rank is; a single one is alone."""
    found = launched(dict(word.split("=") for word in words.split()))
    if launch is None:
        assert found is None
    else:
        assert found == Launch(launcher=launch[0], rank=launch[1], size=launch[2])


def test_srun_without_mpi() -> None:
    """Several processes of srun that can't find one another are refused, with what to do."""
    environment = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1"}
    with pytest.raises(Refused, match=r"srun started 4 processes .* use srun --mpi=pmix"):
        launched(environment)
    assert not leads_host(environment)
    assert leads_host({**environment, "SLURM_LOCALID": "0"})
    assert leads_host({})


def test_one_of_each_host_complains() -> None:
    """Where srun started several without MPI, one process of each host says so, and all end."""
    srun = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}
    done = command(_FORBIDDEN, "run", "/tmp", SLURM_LOCALID="0", **srun)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("aibench: srun started 4 processes and no MPI with them")
    done = command(_FORBIDDEN, "run", "/tmp", SLURM_LOCALID="1", **srun)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_ranks_without_mpi4py() -> None:
    """Ranks that have no mpi4py are refused, and told how to install it."""
    done = command(_WITHOUT, "run", "/tmp", PMI_RANK="0", PMI_SIZE="3")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "aibench: PMI started 3 processes, and without mpi4py each would measure by itself on the "
        "same directory: on each host, pip install 'aibench[mpi]'\n"
    )
    done = command(_WITHOUT, "run", "/tmp", PMIX_RANK="1", OMPI_COMM_WORLD_LOCAL_RANK="1")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_what_one_alone_does() -> None:
    """A command that needs no others is done by rank 0 alone, and no MPI is loaded for it."""
    first, second = ({"PMI_RANK": rank, "PMI_SIZE": "2"} for rank in "01")
    done = command(_FORBIDDEN, "list", "engines", **first)
    assert done.returncode == 0
    assert "null" in done.stdout
    done = command(_FORBIDDEN, "list", "engines", **second)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_launcher_no_mpi(tmp_path: Path) -> None:
    """Started without a launcher, no MPI is loaded: not for help, and not for a run."""
    run = ("run", str(tmp_path), "-w", "load-4k", "--engine", "null", "--repeats", "1")
    for arguments in (("--help",), (*run, "--set", "files=20", "--results", str(tmp_path / "r"))):
        done = command(_FORBIDDEN, *arguments)
        assert done.returncode == 0, done.stderr


def test_mpi4py_is_looked_for_and_not_loaded() -> None:
    """To see whether there is an mpi4py does not load it."""
    before = set(sys.modules)
    with suppress(Refused):
        require_mpi(Launch(rank=0, size=2, launcher="PMI"))
    assert not [name for name in set(sys.modules) - before if name.startswith("mpi4py")]
