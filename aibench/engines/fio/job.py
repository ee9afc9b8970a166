"""Phases as fio job files.

What they say, and why:

* File names are relative to the workspace, where fio is started. A path of the user's never gets
  into a job file: fio splits names at ``:``, expands ``${NAME}`` and hands what follows a keyword
  such as ``$ncpus`` to a shell.
* ``thread``: all jobs live in one process, so that ending it ends them.
* ``time_based`` only where a second pass over a file does the same as the first, which is so for
  direct I/O and for reads that are meant to be warm. Elsewhere the page cache would serve the
  second pass, or swallow rewritten pages, so a phase goes over its files once at most.
* ``end_fsync`` counts the fsync into the time; ``fsync_on_close`` would not.
* ``refill_buffers`` writes fresh random data with every block: not compressible, no duplicates.
* ``invalidate=0`` and ``fadvise_hint=0``: the caches are the runner's affair, and the kernel is
  told nothing that an application would not tell it.
* ``rate_process=poisson`` without ``io_submit_mode=offload``: with that, fio 3.33 did not end. So
  the latency of an offered request counts from its submission, which a full queue delays.
* ``lat_percentiles``: latency is total latency, submission and completion. fio's completion
  latency leaves out the time that a full queue or a buffered request spends in submission.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from aibench.formats import files
from aibench.model import CachePolicy, Finding, Operation, Order, Phase, SyncPolicy

#: What fio calls a direction of I/O, in job files and in its record.
DIRECTIONS = {Operation.READ_BLOCKS: "read", Operation.WRITE_BLOCKS: "write"}
#: Engines that keep more than one request in flight, the best one first.
ASYNCHRONOUS = ("io_uring", "libaio")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_LAYOUT_BLOCK = 2**20


def is_plain(path: str) -> bool:
    """Whether fio takes ``path`` as it stands: relative, inside, nothing that fio expands."""
    parts = path.split("/")
    if _PLAIN_PATH.fullmatch(path) is None or {".", ".."} & set(parts):
        return False
    return not any(part.startswith("-") for part in parts)  # fio reads "-" as standard input


def paths(phase: Phase, slots: Sequence[int]) -> tuple[str, ...]:
    """Where the files of the jobs ``slots`` lie in the workspace, moved as the phase says."""
    population = phase.population
    numbers = ((slot + phase.shift) % population.files for slot in slots)
    return tuple(f"{population.directory}/{files.path_of(population, i)}" for i in numbers)


def wraps(phase: Phase) -> bool:
    """Whether ``phase`` starts over at the end of its files until its time is up."""
    warm_read = phase.operation is Operation.READ_BLOCKS and phase.cache is CachePolicy.WARM
    return phase.runtime_ns > 0 and (phase.cache is CachePolicy.DIRECT or warm_read)


def io_engine(phase: Phase, works: Callable[[str], bool]) -> tuple[str, int, tuple[Finding, ...]]:
    """The engine of fio for ``phase``, one that ``works``, the depth it keeps, and what to know.

    A depth of 1 is one system call at a time (``psync``), as in an application. ``libaio`` is
    for direct I/O only: it submits buffered requests one by one, whatever the depth.
    """
    if phase.depth == 1:
        return "psync", 1, ()
    direct = phase.cache is CachePolicy.DIRECT
    for name in ASYNCHRONOUS:
        if (direct or name != "libaio") and works(name):
            return name, phase.depth, ()
    known = "io_uring" if not direct else " or ".join(ASYNCHRONOUS)
    message = (
        f"a queue depth of {phase.depth} was asked for, 1 was used: "
        f"{'direct' if direct else 'buffered'} I/O needs {known} for more, "
        "and this fio or this kernel does not have it"
    )
    return "psync", 1, (Finding(code="depth_not_kept", message=message),)


def job_file(phase: Phase, seed: int, ioengine: str, depth: int, slots: Sequence[int]) -> str:
    """The job file of a measured phase, with the jobs ``slots`` of it."""
    writes = phase.operation is Operation.WRITE_BLOCKS
    settings = [
        *_common(ioengine, depth, seed),
        ("rw", ("rand" if phase.order is Order.SHUFFLED else "") + DIRECTIONS[phase.operation]),
        ("bs", phase.io_size),
        ("size", phase.population.sizes.mean),
        ("direct", int(phase.cache is CachePolicy.DIRECT)),
        ("allow_file_create", 0),
        ("lat_percentiles", 1),
        ("clat_percentiles", 0),
    ]
    if phase.rate:
        settings += [("rate_iops", max(round(phase.rate / phase.processes), 1))]
        settings += [("rate_process", "poisson")]
    if phase.runtime_ns:
        settings += [("runtime", f"{phase.runtime_ns // 1000}us")]
        settings += [("time_based", 1)] if wraps(phase) else []
    if writes:
        settings += [("overwrite", 1), ("refill_buffers", 1)]
        settings += [("end_fsync", 1)] if phase.sync is SyncPolicy.END else []
    return _text(settings, paths(phase, slots))


def ceiling_file(phase: Phase, seed: int, depth: int, slots: Sequence[int], runtime_ns: int) -> str:
    """The same jobs with no I/O behind them: what fio and this machine can do at most."""
    drop = ("ioengine=", "direct=", "end_fsync=", "runtime=", "time_based=", "rate_")
    lines = job_file(phase, seed, "null", depth, slots).splitlines()
    kept = [line for line in lines if not line.startswith(drop)]
    bounds = ["ioengine=null", f"runtime={runtime_ns // 1000}us", "time_based=1"]
    return "\n".join([kept[0], *bounds, *kept[1:]]) + "\n"


def layout_file(phase: Phase, seed: int, missing: Sequence[str]) -> str:
    """The job file that gives every file of ``missing`` its blocks and random content."""
    settings = [
        *_common("psync", 1, seed),
        ("rw", "write"),
        ("bs", min(_LAYOUT_BLOCK, phase.population.sizes.mean)),
        ("size", phase.population.sizes.mean),
        ("direct", int(phase.cache is CachePolicy.DIRECT)),
        ("refill_buffers", 1),
        ("create_on_open", 1),
        ("end_fsync", 1),
    ]
    return _text(settings, missing)


def _common(ioengine: str, depth: int, seed: int) -> list[tuple[str, str | int]]:
    return [
        ("ioengine", ioengine),
        ("iodepth", depth),
        ("thread", 1),
        ("group_reporting", 0),
        ("exitall_on_error", 1),
        ("randrepeat", 0),
        ("randseed", seed % 2**31 or 1),
        ("norandommap", 0),
        ("fallocate", "none"),
        ("invalidate", 0),
        ("fadvise_hint", 0),
    ]


def _text(settings: Iterable[tuple[str, str | int]], names: Iterable[str]) -> str:
    """The job file. ValueError for a name that fio would not take as it stands."""
    lines = ["[global]", *(f"{key}={value}" for key, value in settings)]
    for number, name in enumerate(names):
        if not is_plain(name):
            raise ValueError(f"{name!r} has no place in a job file")
        lines += [f"[job{number}]", f"filename={name}"]
    return "\n".join(lines) + "\n"
