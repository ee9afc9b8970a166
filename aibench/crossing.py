"""The plan that reads through one mount what was written through another one of the same storage.

Whether storage gives the same bytes over two protocols is asked with data sets that earlier runs
left: their content follows from their manifest, so nothing has to be known of the run.
"""

from collections.abc import Sequence

from aibench.errors import Refused
from aibench.formats.files import total_bytes
from aibench.model import CachePolicy, Operation, Phase, Plan, Population, Stage
from aibench.workers.loops.state import HELD_BYTES
from aibench.workspace.dataset import Found

_IO_SIZE = 2**20
# Assumptions behind the estimated time; for the user's patience only.
_BYTES_PER_S = 400e6
_PHASE_S = 1.0
_WORKER_BYTES = 48 * 2**20


def comparable(found: Sequence[Found], written: str) -> tuple[list[Found], list[str]]:
    """(data sets that were written over ``written`` and can be compared, why others can't)."""
    good, why = [], []
    for each in found:
        problem = _problem(each, written)
        if problem:
            why.append(f"{each.directory}: {problem}")
        else:
            good.append(each)
    return good, why


def _problem(found: Found, written: str) -> str:
    if found.population is None:
        return "its manifest.json is missing, damaged or was edited"
    if not found.complete:
        return "it was never written to its end; the next run completes it"
    if found.population.format != "files":
        return f"it is packed ({found.population.format}); plain files are compared"
    if not found.through:
        return "over which filesystem it was written is not known; clean, and write it again"
    if found.through != written:
        return f"it was written over {found.through}, not over {written}"
    return ""


def crossing(found: Sequence[Found], repeats: int, cpus: int) -> Plan:
    """Each data set read back whole and compared, ``repeats`` times, by ``cpus`` processes.

    `Refused` where there is none.
    """
    populations = [each.population for each in found if each.population is not None]
    if not populations:
        raise Refused("there is no data set to read back")
    stages = tuple(_stage(population, repeats, cpus) for population in populations)
    read = repeats * sum(map(total_bytes, populations))
    return Plan(
        stages=stages,
        seed=0,
        write_bytes=0,
        read_bytes=read,
        space_bytes=0,
        inodes=0,
        memory_bytes=max(_memory(stage.phases[0]) for stage in stages),
        estimated_ns=int((read / _BYTES_PER_S + repeats * len(stages) * _PHASE_S) * 1e9),
        name="verify",
    )


def _stage(population: Population, repeats: int, cpus: int) -> Stage:
    phase = Phase(
        name="verify",
        operation=Operation.COMPARE,
        population=population,
        processes=min(cpus, population.files),
        cache=CachePolicy.COLD,
        io_size=_IO_SIZE,
    )
    return Stage(
        workload=f"verify-{population.directory.rpartition('/')[2]}",
        title="Read back through another mount",
        kind="ingest",
        imitates="Data is written over one protocol and read over another one of the same storage, "
        "as from a collector's mount and a trainer's. Every byte is compared.",
        engine="posix",
        repeats=repeats,
        phases=(phase,),
    )


def _memory(phase: Phase) -> int:
    """What the workers hold: the interpreter, and what each compares with."""
    expected = total_bytes(phase.population) // phase.slots
    held = expected if expected <= HELD_BYTES else _IO_SIZE
    return phase.processes * (_WORKER_BYTES + held + _IO_SIZE)
