"""What a rank other than 0 does: what rank 0 shares with it, until the world ends."""

from typing import NoReturn

from aibench.world import World


def serve(world: World) -> NoReturn:
    """Carry out orders, which are called with the world; leaves by `WorldEnded`."""
    while True:
        world.share(None)(world)
