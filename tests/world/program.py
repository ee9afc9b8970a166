"""A small command for ranks under an MPI launcher: rounds in which all meet, tell and gather.

``python -m tests.world.program DIRECTORY SETTINGS``, where settings are those of `Rounds` in JSON.
Each process writes its number down; rank 0 writes ``record`` when it ends: a code and a message, or
what it gathered.
"""

import json
import os
import signal
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from aibench import world
from aibench.cli.ranks import supervised_rank
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience
from aibench.errors import AibenchError
from aibench.orphans import die_with
from aibench.world import World, mpi
from aibench.world.launch import launched

_TELLS = 20


def _worker(directory: Path, rank: int) -> None:
    """A process that works for this rank, and would for ever."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with(parent)
        signal.pause()
    for name, number in (("worker", pid), ("agent", parent), ("connection", os.getppid())):
        part = directory / f"{name}-{rank}.part"
        part.write_text(str(number))
        part.rename(directory / f"{name}-{rank}")


@dataclass(frozen=True)
class Rounds:
    """What each rank does; rank 0 shares it.

    ``large`` bytes go to all ranks and back, in messages of no more than ``part``; ``idle_s`` long
    nobody says anything.
    """

    directory: Path
    rounds: int = 1
    patience_s: float = 60
    large: int = 0
    part: int = mpi._PART
    idle_s: float = 0

    def __call__(self, here: World) -> list[dict[str, object]]:
        """What was gathered of each round."""
        world.notes(str(self.directory))
        _worker(self.directory, here.place.rank)
        gathered = [self._round(here, number) for number in range(self.rounds)]
        if self.large:
            data = here.share(os.urandom(self.large) if here.place.rank == 0 else None)
            given = here.gather((data, zlib.crc32(data)))
            gathered.append({"whole": [(data, zlib.crc32(data)) == each for each in given]})
        if self.idle_s:
            time.sleep(self.idle_s)
        here.meet()
        return gathered

    def _round(self, here: World, number: int) -> dict[str, object]:
        start = here.meet()
        late = time.perf_counter_ns() > start
        for told in range(_TELLS):
            here.tell(told, number)
            time.sleep(0.001)
        mine = {"rank": here.place.rank, "start": start, "late": late, "round": number}
        return {"all": here.gather(mine)}


def _told() -> Rounds:
    return Rounds(Path(sys.argv[1]), **json.loads(sys.argv[2]))


def _body() -> None:
    rounds = _told()
    tell_patience(int(rounds.patience_s * 1e9))
    record: dict[str, object] = {"code": "done"}
    try:
        with interruptible():
            here = world.here()
            record["gathered"] = here.share(rounds)(here)
            record |= {"hosts": here.place.hosts, "library": world.library()}
            record["clocks"] = [[clock.offset_ns, clock.error_ns] for clock in here.clocks]
    except AibenchError as error:
        record |= {"code": error.code, "message": str(error)}
    finally:
        world.notes(None)
    (rounds.directory / "record").write_text(json.dumps(record))
    raise SystemExit(0 if record["code"] == "done" else 4)


if __name__ == "__main__":
    launch = launched(os.environ)
    assert launch is not None
    mpi._PART = _told().part
    supervised_rank(launch, _body, lambda here: here.share(None)(here))
