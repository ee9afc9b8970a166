"""Checkpoints by the real libraries: each rank is a process, as it is in training.

Ranks that write or read one checkpoint together meet by gloo, over the loopback interface alone.
"""

import errno
import os
import re
import resource
import warnings
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from aibench.calls import real_calls
from aibench.engine import Report, Site
from aibench.engines.pooled import collect
from aibench.errors import TargetFailed, WorkerFailed
from aibench.model import Measurement, Operation, Phase
from aibench.workers.job import Job, Outcome, Prepare, Progress, Run
from aibench.workers.pool import run_pool

#: How the safetensors package tells of the system's error.
_NUMBER = re.compile(r"os error (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked(Outcome):
    """What one rank did, and what all threads of its process used."""

    used_user_ns: int
    used_system_ns: int


class Rendezvous:
    """Where ranks find one another: a file in memory that they inherit, so that no port is open."""

    def __init__(self, patience_ns: int) -> None:
        self._fd = os.memfd_create("aibench")
        self._timeout = timedelta(microseconds=patience_ns // 1000)

    def join(self, rank: int, ranks: int) -> None:
        """Be one of the ``ranks`` of a process group."""
        from torch import distributed

        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        distributed.init_process_group(
            "gloo", store=distributed.FileStore(f"/proc/self/fd/{self._fd}", ranks),
            rank=rank, world_size=ranks, timeout=self._timeout,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of it, when the ranks have ended."""
        os.close(self._fd)


def measure_checkpoint(phase: Phase, site: Site, report: Report) -> Measurement:
    """Save or load as ``phase`` says, by one process a rank."""
    job = Job(
        phase=phase,
        directory=f"{site.root}/{phase.population.directory}",
        seed=site.seed,
        calls=real_calls,
    )
    meeting = Rendezvous(site.patience_ns)
    try:
        prepare = partial(_prepare, meeting)
        start, outcomes = run_pool(job, prepare, report, site.patience_ns, parents=True)
    finally:
        meeting.close()
    found = [
        replace(each, user_ns=each.used_user_ns, system_ns=each.used_system_ns)
        for each in outcomes
        if isinstance(each, Ranked)
    ]
    return collect(phase, site, start, found)


def _prepare(meeting: Rendezvous, job: Job, slot: int, progress: Progress) -> Run:
    """Import what the rank needs, and have its state in memory."""
    warnings.simplefilter("ignore")  # they are for who writes a trainer
    if job.phase.operation is Operation.SAVE_SHARDS:
        from aibench.engines.torch.saving import prepare_save as prepare
    else:
        from aibench.engines.torch.loading import prepare_load as prepare
    if job.phase.population.format == "dcp":
        meeting.join(slot, job.phase.processes)
    run = _blaming(prepare, job, slot, progress)

    def counted(start_ns: int) -> Outcome:
        before = resource.getrusage(resource.RUSAGE_SELF)
        outcome = run(start_ns)
        after = resource.getrusage(resource.RUSAGE_SELF)
        parts = {name: getattr(outcome, name) for name in Outcome.__slots__}
        return Ranked(
            **parts,
            used_user_ns=int((after.ru_utime - before.ru_utime) * 1e9),
            used_system_ns=int((after.ru_stime - before.ru_stime) * 1e9),
        )

    return counted


def _blaming(prepare: Prepare, job: Job, slot: int, progress: Progress) -> Run:
    """Has errors of the libraries become those of aibench: most of them hide what the kernel said.

    Those that torch collects of all ranks are no `Exception`, and neither are signals here.
    """
    from torch.distributed.checkpoint.api import CheckpointException

    run = prepare(job, slot, progress)

    def blaming(start_ns: int) -> Outcome:
        try:
            return run(start_ns)
        except CheckpointException as error:
            causes = [cause for cause, _ in error.failures.values()]
            raise _blamed(causes[0], job.directory) from error
        except OSError as error:
            raise error if error.errno else _blamed(error, job.directory) from error
        except (RuntimeError, ValueError, EOFError, KeyError) as error:
            raise _blamed(error, job.directory) from error
        except Exception as error:
            if type(error).__name__ not in ("SafetensorError", "UnpicklingError"):
                raise
            raise _blamed(error, job.directory) from error

    return blaming


def _blamed(error: BaseException, directory: str) -> Exception:
    """The error for what a library says."""
    if isinstance(error, OSError) and error.errno:
        return error
    if isinstance(error, FileNotFoundError):  # safetensors raises it without a number
        return OSError(errno.ENOENT, os.strerror(errno.ENOENT), directory)
    text = str(error).strip().partition("\n")[0]
    if (found := _NUMBER.search(text)) is not None:
        return OSError(int(found[1]), os.strerror(int(found[1])), directory)
    if "onnection" in text or "gloo" in text:
        return WorkerFailed(f"a rank lost the others: {text}")
    message = f"a library failed on {directory}: {type(error).__name__}: {text}"
    return TargetFailed(message, code="library_failed")
