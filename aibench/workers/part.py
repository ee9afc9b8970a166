"""Which part of a phase is whose, where many ranks do it together."""

from aibench.model import Phase
from aibench.world import Place

#: The slots of each worker process.
Processes = tuple[tuple[int, ...], ...]


def block(count: int, place: Place, hosts: int = 0) -> range:
    """The contiguous part of ``range(count)`` that is this rank's; those of a host are neighbours.

    All parts are as large, or differ by one. With ``hosts`` only the ranks of the first so many
    have one.
    """
    turn, size = place.turn, place.ranks_of(hosts)
    if turn >= size:
        return range(0)
    return range(count * turn // size, count * (turn + 1) // size)


def accelerators_of(phase: Phase, place: Place) -> range:
    """The accelerators of ``phase`` that are emulated by this rank."""
    return block(phase.accelerators.count if phase.accelerators else 0, place, phase.hosts)


def processes_of(phase: Phase, place: Place) -> Processes:
    """The slots of each process that this rank has of ``phase``.

    An accelerator has all its loaders in one rank. Loader ``slot`` is one of accelerator
    ``slot % count``, as in `workers.cells.Cells`.
    """
    if phase.accelerators is None or place.size == 1:
        numbers = block(phase.processes, place, phase.hosts)
        return tuple(tuple(range(n * phase.threads, (n + 1) * phase.threads)) for n in numbers)
    count, own = phase.accelerators.count, accelerators_of(phase, place)
    slots = [slot for slot in range(phase.slots) if slot % count in own]
    return tuple(
        tuple(slots[begin : begin + phase.threads]) for begin in range(0, len(slots), phase.threads)
    )


def slots_of(phase: Phase, place: Place) -> tuple[int, ...]:
    """All slots that this rank has of ``phase``."""
    return tuple(slot for slots in processes_of(phase, place) for slot in slots)
