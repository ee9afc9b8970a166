"""What a rank other than 0 does: says what it sees, joins, and does what rank 0 asks for."""

from typing import TYPE_CHECKING

from aibench.cli.named import Engines
from aibench.cli.party import target_of
from aibench.crew import obey
from aibench.crew.joining import Join, joined
from aibench.crew.survey import Look, facts

if TYPE_CHECKING:
    from aibench.model import Target
    from aibench.world import World


def serve(world: "World") -> None:
    """Take part in one run after the other, on one target or several, until `WorldEnded`."""
    targets: dict[str, Target] = {}
    while True:
        asked = world.share(None)
        if isinstance(asked, Look):
            found = facts(asked, world, target_of)
            if found.target is not None:
                targets[found.target.path] = found.target
            world.gather(found)
        elif isinstance(asked, Join):
            member = joined(world, asked, targets[asked.path], Engines())
            if member is not None:
                obey(member)
                member.workspace.close()
