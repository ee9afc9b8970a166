"""Measures the pairs of a duel, one run after the other, and says which were measured before."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aibench.cli import output
from aibench.cli.corners import Corner
from aibench.cli.measuring import Session
from aibench.compare import Entrant
from aibench.compare.pairing import LETTERS, ended_well, order, pairs
from aibench.compare.rules import (
    DUEL,
    EXTENSION,
    ITSELF,
    PAIR,
    PAIRS,
    SIDE,
    SIDES,
    WARM_UP,
)  # fmt: skip
from aibench.errors import Refused
from aibench.identity import client_facts, mount_facts
from aibench.model import Environment, Finding, Phase, Plan, RunRecord, Stage

_LARGEST_SEED = 2**63
#: The supervisor has to see that a cool-down is alive.
_NAP_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """The declaration of a duel, and what was measured of it: ``known`` by pair and side.

    ``pairs`` are measured in any case, ``extension`` more at most. ``itself``: both sides are the
    same directory.
    """

    id: str
    corners: tuple[Corner, ...]
    pairs: int
    extension: int
    folder: str
    remarks: tuple[Finding, ...]
    patience_ns: int
    cool_down_ns: int
    itself: bool
    known: dict[int, dict[str, RunRecord]] = field(default_factory=dict)

    def measure(self, first: int, last: int) -> str:
        """Measure the pairs from ``first`` to ``last`` that are not there; why a run failed.

        Empty where all went well. A pair of which a side is missing is measured again as a whole.
        """
        turns = order(self.id, len(self.corners), self.pairs + self.extension)
        for number in range(first, last + 1):
            if self._is_whole(number):
                continue
            self.known[number] = {}
            for side in turns[number]:
                record = self._run(number, side)
                self.known[number][LETTERS[side]] = record
                if not ended_well(record):
                    told = [reason.message for reason in record.reasons] or ["it did not finish"]
                    return f"{record.target.label}: {told[0]}"
        return ""

    def _is_whole(self, number: int) -> bool:
        there = self.known.get(number, {})
        return all(key in there and ended_well(there[key]) for key in self.keys)

    @property
    def keys(self) -> str:
        """The letters of the sides."""
        return LETTERS[: len(self.corners)]

    def _run(self, number: int, side: int) -> RunRecord:
        corner, key = self.corners[side], LETTERS[side]
        what = "warm-up" if number == WARM_UP else f"pair {number}/{self.pairs}"
        if number > self.pairs:
            what = f"pair {number}, of the extension"
        if self.cool_down_ns:
            _wait(self.cool_down_ns)
        output.say(f"{what}: {key} ({corner.name})")
        asked = corner.asked
        name = f"duel-{self.id}-{number:02d}{key}-{asked.plan.name}"
        asked = replace(
            asked, plan=seeded(asked.plan, number), labels=self.labels(number, key), name=name
        )
        session = Session(asked, self.folder, self.remarks)
        return session.measure(corner.workspace, self.patience_ns)[0]

    def labels(self, number: int, key: str) -> dict[str, str]:
        """What the record of a run says that it belongs to."""
        return {
            DUEL: self.id,
            PAIR: str(number),
            SIDE: key,
            SIDES: str(len(self.corners)),
            PAIRS: str(self.pairs),
            EXTENSION: str(self.extension),
            ITSELF: "yes" if self.itself else "no",
        }

    def entrants(self, last: int) -> tuple[tuple[Entrant, ...], int]:
        """The sides with the runs of complete pairs up to ``last``, and how many are missing."""
        whole = [n for n in range(WARM_UP + 1, last + 1) if self._is_whole(n)]
        found = tuple(
            Entrant(key=key, runs=tuple(self.known[n][key] for n in whole), system=c.asked.system)
            for key, c in zip(self.keys, self.corners, strict=True)
        )
        return found, last - len(whole)


def new_id() -> str:
    """An id that no other duel has."""
    return secrets.token_hex(4)


def _wait(nanoseconds: int) -> None:
    until = time.monotonic() + nanoseconds / 1e9
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _NAP_S))


def seeded(plan: Plan, number: int) -> Plan:
    """``plan`` as pair ``number`` does it: with an order, and contents to write, of its own.

    Data that stays on the target keeps its seed: it is made once and read by all pairs.
    """
    seed = (plan.seed + number) % _LARGEST_SEED
    return replace(plan, seed=seed, stages=tuple(_seeded(stage, seed) for stage in plan.stages))


def _seeded(stage: Stage, seed: int) -> Stage:
    return replace(stage, phases=tuple(_seeded_phase(phase, seed) for phase in stage.phases))


def _seeded_phase(phase: Phase, seed: int) -> Phase:
    population, made = phase.population, phase.transform
    if not population.persistent:
        population = replace(population, seed=seed)
    if made is not None and not made.output.persistent:
        made = replace(made, output=replace(made.output, seed=seed))
    return replace(phase, population=population, transform=made)


def resumed(duel: Duel, records: Sequence[RunRecord], clients: Mapping[str, Environment]) -> Duel:
    """``duel`` with what ``records`` have of it. `Refused` where they are of another question."""
    known = pairs(records, duel.id)
    for number, sides in known.items():
        for key, record in sides.items():
            _refuse_other(duel, number, key, record, clients)
    duel.known.update(known)
    return duel


def _refuse_other(
    duel: Duel, number: int, key: str, record: RunRecord, clients: Mapping[str, Environment]
) -> None:
    told = dict(record.labels)
    for name in (SIDES, PAIRS, EXTENSION, ITSELF):
        mine = duel.labels(number, key)[name]
        if told.get(name) != mine:
            raise Refused(f"duel {duel.id} has {name} {told.get(name)}, not {mine}: say it again")
    asked = duel.corners[duel.keys.index(key)].asked
    asked.party.refuse_other(record)
    alike = {
        "plan": seeded(asked.plan, number).digest == record.plan.digest,
        "directory": asked.target.path == record.target.path,
        "mount": mount_facts(asked.target) == mount_facts(record.target),
        "client": client_facts(clients[key]) == client_facts(record.environment),
    }
    for what, same in alike.items():
        if not same:
            raise Refused(
                f"{record.run_id} has another {what} than this command asks for on side {key}; "
                "a duel is resumed by the same command with --resume added"
            )
