"""What a rank other than 0 does: says what it sees, joins, and does what rank 0 asks for."""

from aibench.cli.options import Engines
from aibench.cli.party import target_of
from aibench.crew import obey
from aibench.crew.joining import joined
from aibench.crew.survey import Look, facts
from aibench.world import World


def serve(world: World) -> None:
    """Take part until nothing more is asked for, or `errors.WorldEnded`."""
    look = world.share(None)
    if not isinstance(look, Look):
        return
    found = facts(look, world, target_of)
    world.gather(found)
    join = world.share(None)
    if join is None or found.target is None:
        return
    member = joined(world, join, found.target, Engines())
    if member is not None:
        obey(member)
