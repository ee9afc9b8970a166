"""Why the real libraries can't do a phase, before anything is written.

What a phase asks for beyond what is known here is refused by its name: nothing is left out
silently.
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib.util import find_spec

from aibench.engines.torch import reads
from aibench.formats.files import largest_size, total_bytes
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy
from aibench.probes.resources import available_memory
from aibench.units import format_size

#: What every phase says, and what only says how an emulation is to behave.
_COMMON = frozenset(
    {"name", "operation", "population", "processes", "cache", "reader", "python", "io_size",
     "order", "runtime_ns", "levels", "measured"}
)  # fmt: skip
#: What else is honoured, by operation.
_HONOURED: Mapping[Operation, frozenset[str]] = {
    Operation.READ_FILES: _COMMON | {"batch", "epoch"},
    Operation.SAVE_SHARDS: _COMMON
    | {"sync", "shares", "checkpoints", "keep", "marked", "snapshot"},
    Operation.LOAD_SHARDS: _COMMON | {"shares", "reads", "marked", "shift"},
}
#: How phases are told about that have what is not honoured.
_WORDS = {
    "threads": "worker processes have one thread each",
    "rate": "a loader is a closed loop: no rate can be offered to it",
    "accelerators": "accelerators are emulated by engine posix",
    "resume": "slices of shards, passing on and the data set are left to engine posix",
    "window": "no reader of windows of tokens is installed with torch",
}
#: Checkpoints that these libraries write and read, and by which readers.
CHECKPOINTS: Mapping[str, tuple[str, ...]] = {
    "torch": ("torch", "torch_mmap"),
    "torch_stream": ("torch", "torch_mmap"),
    "safetensors": ("safetensors", "lean"),
    "dcp": ("dcp",),
}
#: What a process that imported torch holds, and what a worker that was forked from it adds.
_TRAINER, _WORKER = 300 * 2**20, 80 * 2**20
_SHARED = "/dev/shm"  # noqa: S108 - where torch puts the batches that workers hand on
#: Batches that are there at once: those ahead of each worker, one being made, one being used.
_AHEAD = 4


def refusal(phase: Phase) -> str | None:
    """Why ``phase`` can't be done by the real libraries."""
    if find_spec("torch") is None:
        return "engine torch needs torch: pip install 'aibench[torch]'"
    honoured = _HONOURED.get(phase.operation)
    if honoured is None:
        known = ", ".join(operation.value for operation in _HONOURED)
        return f"engine torch can't do {phase.operation.value}; it does {known}"
    if (strange := _strange(phase, honoured)) is not None:
        return f"engine torch: {strange}"
    if phase.cache is CachePolicy.DIRECT:
        return "cache policy direct: torch reads and writes through the page cache"
    if phase.operation is Operation.READ_FILES:
        return _load(phase)
    return _checkpoint(phase)


def _strange(phase: Phase, honoured: frozenset[str]) -> str | None:
    """What of ``phase`` is asked for and not known here."""
    for one in fields(Phase):
        if one.name in honoured or one.default is MISSING:
            continue
        if getattr(phase, one.name) != one.default and not _is_plain(phase, one.name):
            return _WORDS.get(one.name, f"it knows no {one.name}")
    return None


def _is_plain(phase: Phase, name: str) -> bool:
    """Whether what a resume asks for is only the files that it names."""
    if name != "resume" or phase.resume is None:
        return False
    asked = phase.resume
    return not asked.slices and not asked.passes_on and asked.dataset is None


def _load(phase: Phase) -> str | None:
    form = phase.population.format
    if form == "webdataset":
        if find_spec("webdataset") is None:
            return "format 'webdataset' needs its package: pip install 'aibench[torch]'"
    elif (why := reads.problem(form, phase.reader)) is not None:
        return why
    return _no_shared_memory(phase) or _no_memory(_TRAINER + phase.processes * _WORKER)


def _no_shared_memory(phase: Phase) -> str | None:
    sample = phase.population.sizes.mean
    needed = phase.processes * _AHEAD * phase.batch * sample + largest_size(phase.population)
    try:
        status = os.statvfs(_SHARED)
    except OSError:
        return None
    free = status.f_bavail * status.f_frsize
    if needed <= free:
        return None
    return (
        f"batches go through {_SHARED}, which has {format_size(free)} free, and need "
        f"{format_size(needed)}: use fewer workers or a smaller batch"
    )


def _no_memory(needed: int) -> str | None:
    if needed <= (free := available_memory()):
        return None
    return (
        f"processes with torch need {format_size(needed)} of memory and {format_size(free)} are "
        "available: use fewer workers or ranks, or --scale"
    )


def _checkpoint(phase: Phase) -> str | None:
    form, saves = phase.population.format, phase.operation is Operation.SAVE_SHARDS
    if form not in CHECKPOINTS:
        known = ", ".join(CHECKPOINTS)
        return f"no library writes format {form!r}: --set format=torch (or another of {known})"
    if form == "safetensors" and find_spec("safetensors") is None:
        return "format 'safetensors' needs its package: pip install 'aibench[torch]'"
    why = _not_saved(phase) if saves else _not_loaded(phase)
    return why or _no_memory(phase.processes * _TRAINER + _held(phase))


def _not_saved(phase: Phase) -> str | None:
    if phase.sync is SyncPolicy.COMMIT:
        return "a library renames what it renames: sync is 'end' or 'none'"
    if phase.runtime_ns:
        return "a checkpoint ends when it is saved: it can't be bounded in time"
    return None


def _not_loaded(phase: Phase) -> str | None:
    form = phase.population.format
    if form == "dcp" and phase.runtime_ns:
        return "ranks load a distributed checkpoint together, once: it can't be bounded in time"
    if phase.reader not in CHECKPOINTS[form]:
        known = ", ".join(CHECKPOINTS[form])
        return f"format {form!r} is read by {known} here, not by reader {phase.reader!r}"
    return None


def _held(phase: Phase) -> int:
    """What all ranks hold: a checkpoint when they save or load all at once, else a file each."""
    population, copies = phase.population, 1 + phase.snapshot
    if phase.operation is Operation.SAVE_SHARDS or population.format == "dcp":
        readers = len([1 for first, last in phase.reads if last > first]) if phase.reads else 1
        return total_bytes(population) // phase.checkpoints * copies * max(readers, 1)
    return phase.processes * largest_size(population)
