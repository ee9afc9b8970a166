"""A small command for ranks under an MPI launcher: rounds in which all meet, tell and gather.

``python -m tests.world.program DIRECTORY ROUNDS PATIENCE_S``. Each process writes its number down;
rank 0 writes ``record`` when it ends: a code and a message, or the sums that it gathered.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from aibench import world
from aibench.cli.ranks import supervised_rank
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience
from aibench.errors import AibenchError
from aibench.orphans import die_with
from aibench.world import World
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


class Rounds:
    """What each rank does; rank 0 shares it."""

    def __init__(self, directory: Path, rounds: int) -> None:
        self.directory, self.rounds = directory, rounds

    def __call__(self, here: World) -> list[dict[str, object]]:
        """So many rounds; what was gathered of them."""
        world.notes(str(self.directory))
        _worker(self.directory, here.place.rank)
        gathered = []
        for number in range(self.rounds):
            start = here.meet()
            late = time.perf_counter_ns() > start
            for told in range(_TELLS):
                here.tell(told, number)
                time.sleep(0.001)
            mine = {"rank": here.place.rank, "start": start, "late": late, "round": number}
            gathered.append({"all": here.gather(mine), "sum": here.tell(_TELLS, number)})
        return gathered


def _body() -> None:
    directory, rounds, patience_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    tell_patience(int(patience_s * 1e9))
    record: dict[str, object] = {"code": "done"}
    try:
        with interruptible():
            here = world.here()
            order = here.share(Rounds(directory, rounds))
            record["gathered"] = order(here)
            record |= {"hosts": here.place.hosts, "errors": [c.error_ns for c in here.clocks]}
            record["offsets"] = [clock.offset_ns for clock in here.clocks]
    except AibenchError as error:
        record |= {"code": error.code, "message": str(error)}
    finally:
        world.notes(None)
    (directory / "record").write_text(json.dumps(record))
    raise SystemExit(0 if record["code"] == "done" else 4)


if __name__ == "__main__":
    launch = launched(os.environ)
    assert launch is not None
    supervised_rank(launch, _body, lambda here: here.share(None)(here))
