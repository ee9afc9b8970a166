"""Which runs of a duel stand beside each other, and in which order they are to be measured."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aibench.compare.rules import (
    DUEL,
    MOST_PAIRS,
    MOST_SIDES,
    PAIR,
    SIDE,
    WARM_UP,
    Entrant,
)  # fmt: skip
from aibench.model import Finding, RunRecord, System

#: Runs of one pair by the letter of their side.
Pair = Mapping[str, RunRecord]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def order(duel: str, sides: int, pairs: int) -> tuple[tuple[int, ...], ...]:
    """The order of the sides in each pair, the warm-up first: random, told by the duel's id.

    Each pair is drawn by itself. Balancing the orders (AB after BA) would tie pairs to each other,
    and where runs resemble those before them, equal sides would differ oftener than the level: in
    simulations with a memory of 0.5 in 6.3 % instead of 5 %.
    """
    chance = random.Random(f"aibench duel {duel}")
    return tuple(tuple(chance.sample(range(sides), sides)) for _ in range(pairs + 1))


def place(record: RunRecord) -> tuple[str, int, str] | None:
    """(duel, pair, side) of a record that belongs to one; None of others, and of wrong labels."""
    labels = record.labels
    duel, pair, side = labels.get(DUEL, ""), labels.get(PAIR, ""), labels.get(SIDE, "")
    known = pair.isascii() and pair.isdigit() and int(pair[:4]) <= MOST_PAIRS
    if not (duel and known and len(pair) <= 2 and side and side in LETTERS[:MOST_SIDES]):
        return None
    return duel, int(pair), side


def pairs(records: Iterable[RunRecord], duel: str) -> dict[int, dict[str, RunRecord]]:
    """The runs of ``duel`` by pair and side, of each the last one: a pair may be measured again."""
    found: dict[int, dict[str, RunRecord]] = {}
    for record in sorted(records, key=lambda each: (each.started_at, each.run_id)):
        where = place(record)
        if where is not None and where[0] == duel:
            found.setdefault(where[1], {})[where[2]] = record
    return dict(sorted(found.items()))


def entrants(
    records: Iterable[RunRecord], duel: str, systems: Mapping[str, System] | None = None
) -> tuple[tuple[Entrant, ...], tuple[Finding, ...]]:
    """The sides of ``duel`` with their runs of complete pairs, and what was left out and why."""
    known = pairs(records, duel)
    sides = sorted({side for pair in known.values() for side in pair})
    whole = [pair for number, pair in known.items() if number != WARM_UP and _is_whole(pair, sides)]
    found = tuple(
        Entrant(
            key=side,
            runs=tuple(pair[side] for pair in whole),
            system=(systems or {}).get(side) or next(
                (pair[side].system for pair in known.values() if side in pair), None
            ),
        )
        for side in sides
    )  # fmt: skip
    return found, tuple(_left_out(known, sides))


def _is_whole(pair: Pair, sides: Sequence[str]) -> bool:
    return all(side in pair and ended_well(pair[side]) for side in sides)


def by_repeat(record: RunRecord) -> tuple[RunRecord, ...]:
    """A run as one for each of its repeats, for where there is nothing else to tell its noise."""
    numbers = sorted({sample.repeat for sample in record.samples})
    return tuple(
        replace(
            record,
            run_id=f"{record.run_id}, repeat {number + 1}",
            samples=tuple(s for s in record.samples if s.repeat == number),
        )
        for number in numbers
    )


def ended_well(record: RunRecord) -> bool:
    """Whether a run counts at all."""
    return record.complete and not record.reasons


def _left_out(known: Mapping[int, Pair], sides: Sequence[str]) -> Iterable[Finding]:
    for number, pair in known.items():
        if number == WARM_UP or _is_whole(pair, sides):
            continue
        told = []
        for side in sides:
            if side not in pair:
                told.append(f"{side} was not measured")
            elif not ended_well(pair[side]):
                why = pair[side].reasons
                told.append(f"{side} failed: {why[0].message if why else 'it did not finish'}")
        message = f"pair {number} is left out: {'; '.join(told)}"
        yield Finding(code="incomplete_pair", message=message)
