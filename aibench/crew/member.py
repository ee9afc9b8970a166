"""One of the ranks that measure together, and how rank 0 has all of them do something."""

import errno
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from aibench.engine import Engine, Report, Site
from aibench.errors import AibenchError, Interrupted, RankFailed, RunFailed
from aibench.model import Target
from aibench.workers.failure import failure
from aibench.workspace import Workspace
from aibench.world import World

#: How long what another host has made may stay unseen: longer than NFS keeps attributes and names.
UNSEEN_S = 75.0
_LOOK_S = 0.05
_NOT_YET = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a rank needs to do its part; ``boots`` tells when all hosts were started."""

    world: World
    workspace: Workspace
    target: Target
    engines: Mapping[str, Engine]
    patience_ns: int
    boots: str = ""
    allow_drop: bool = True

    @property
    def alone(self) -> bool:
        """Whether it measures together with nobody."""
        return self.world.place.size == 1

    def site(self, seed: int) -> Site:
        """Where and as what its part of a phase runs."""
        return Site(
            root=self.workspace.root,
            target=self.target,
            seed=seed,
            host=self.world.place.host,
            patience_ns=self.patience_ns,
            world=self.world,
        )

    def together(self) -> None:
        """Wait for all ranks."""
        self.world.gather(None)
        self.world.share(None)

    def await_directory(self, directory: str) -> None:
        """Wait until this host sees a directory of the workspace that rank 0 has made.

        A network mount may say for a while that there is none. OSError when it goes on for longer
        than such mounts keep what they know.
        """
        why: list[OSError] = []

        def look() -> bool | None:
            try:
                with self.workspace.opened(directory):
                    return True
            except OSError as error:
                why[:] = [error]
                return None if error.errno in _NOT_YET else False

        if not awaited(self.world, look):
            path = self.workspace.path(directory)
            raise OSError(why[0].errno, why[0].strerror, path) from why[0]


def awaited(world: World, look: Callable[[], _T | None]) -> _T | None:
    """What ``look`` finds in the end; None where it goes on finding nothing for `UNSEEN_S`."""
    deadline = time.monotonic() + UNSEEN_S
    while (found := look()) is None and time.monotonic() < deadline:
        world.tell(0, 0)
        time.sleep(_LOOK_S)
    return found


class Order(Protocol):
    """Something that all ranks do, each its part."""

    def done_by(self, member: Member, report: Report) -> Any:
        """Do this rank's part; what rank 0 gives back is the answer."""


def ask(member: Member, order: Order, report: Report = lambda *_: None) -> Any:
    """On rank 0: have all ranks do ``order``, and give the answer.

    `errors.RunFailed` when a rank can't; with several it names the rank's host.
    """
    if member.alone:
        return order.done_by(member, report)
    member.world.share(order)
    try:
        return order.done_by(member, report)
    except OSError as error:
        raise _named(failure(error), member) from error
    except (RankFailed, Interrupted):
        raise
    except RunFailed as error:
        raise _named(error, member) from error
    finally:
        if sys.exc_info()[0] is not None:
            member.world.end()  # before the target is put in order


def _named(error: AibenchError, member: Member) -> RankFailed:
    return RankFailed(f"rank 0 on {member.world.place.host}: {error}", code=error.code)


def obey(member: Member) -> None:
    """On the others: do what rank 0 asks for, until it asks for nothing more."""
    while (order := member.world.share(None)) is not None:
        order.done_by(member, lambda *_: None)
