"""The conditions that a source states against those under which a trial was measured."""

from collections.abc import Iterator

from aibench.judge.gates import Gate
from aibench.model import READS, WRITES, Claim, Finding, Order, Phase
from aibench.units import format_size_binary

_ORDERS = {"seq": Order.SEQUENTIAL, "rand": Order.SHUFFLED}
_SIDES = {"read": READS, "write": WRITES}


def unlike(claim: Claim, phase: Phase) -> list[Gate]:
    """The gate that names every stated condition under which the claim was not tested.

    Block size, order and direction are compared; a mix of operations and when writes have to last
    are told with the claim.
    """
    differing = list(_differences(claim, phase))
    if not differing:
        return []
    message = f"tested under other conditions than the source states: {'; '.join(differing)}"
    return [
        Gate(
            finding=Finding(code="conditions_differ", message=message),
            forbids_met=True,
            forbids_not_met=True,
            remedy="measure under the conditions that the source states",
        )
    ]


def _differences(claim: Claim, phase: Phase) -> Iterator[str]:
    stated = claim.conditions
    if stated.block is not None and stated.block != phase.io_size:
        sizes = [format_size_binary(size) for size in (stated.block, phase.io_size)]
        yield f"blocks of {sizes[0]}, not {sizes[1]}"
    for start, order in _ORDERS.items():
        if stated.pattern.casefold().startswith(start) and phase.order is not order:
            yield f"{stated.pattern}, not {phase.order.value}"
    for side, operations in _SIDES.items():
        if stated.op.casefold() == side and phase.operation not in operations:
            yield f"{stated.op}, not {phase.operation.value.replace('_', ' ')}"
