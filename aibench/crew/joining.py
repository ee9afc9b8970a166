"""Whether all hosts see one directory: what one has written there is seen by the others."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aibench.crew.member import UNSEEN_S, Member, awaited
from aibench.engine import Engine
from aibench.errors import AibenchError, Refused
from aibench.model import Target
from aibench.workspace import Workspace, find
from aibench.workspace.documents import read_json, write_json
from aibench.workspace.root import make_directory
from aibench.world import World, notes

_SIGN = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Where rank 0 has written ``token``, which every host has to see, and what it will ask for."""

    path: str
    token: str
    engines: tuple[str, ...]
    patience_ns: int
    boots: str

    @property
    def directory(self) -> str:
        """Where in the workspace it lies. Nobody has looked its name up before."""
        return f"hosts/{self.token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a rank says when it has looked: the versions of its engines, or a ``problem``."""

    versions: Mapping[str, str]
    problem: str = ""


def joined(
    world: World, join: Join, target: Target, engines: Mapping[str, Engine]
) -> Member | None:
    """On ranks other than 0: the member that this one is; None where it can't be one."""
    workspace, problem = None, ""
    try:
        workspace = _seen(world, join)
        notes(workspace.path(join.directory))
        if world.place.leads:
            with workspace.opened(join.directory) as fd:
                write_json(fd, f"rank-{world.place.rank}", {"token": join.token})
    except AibenchError as error:
        problem = str(error)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        problem = f"nothing can be written in {join.path}: {why}"
    versions = {name: engines[name].version() or "" for name in join.engines}
    world.gather(Joined(versions=versions, problem=problem))
    if workspace is None or problem:
        return None
    return Member(
        world=world,
        workspace=workspace,
        target=target,
        engines=engines,
        patience_ns=join.patience_ns,
        boots=join.boots,
    )


def _seen(world: World, join: Join) -> Workspace:
    """The workspace, as soon as the token is seen in it. `Refused` where it stays unseen."""

    def look() -> Workspace | None:
        workspace = find(join.path)
        if workspace is None:
            return None
        try:
            with workspace.opened(join.directory) as fd:
                found = read_json(fd, _SIGN)
        except OSError:
            found = None
        if isinstance(found, dict) and found.get("token") == join.token:
            return workspace
        workspace.close()
        return None

    seen = awaited(world, look)
    if seen is None:
        raise Refused(
            f"{join.path} is not the directory that rank 0 has: what it wrote there can't be seen "
            f"after {UNSEEN_S:g} s; mount the same filesystem on all hosts"
        )
    return seen


def assembled(
    world: World, workspace: Workspace, target: Target, engines: Mapping[str, Engine],
    used: Sequence[str], patience_ns: int, boots: str,
) -> Member:  # fmt: skip
    """On rank 0: the member that it is, when all others have joined. `Refused` names who can't."""
    member = Member(
        world=world,
        workspace=workspace,
        target=target,
        engines=engines,
        patience_ns=patience_ns,
        boots=boots,
    )
    if member.alone:
        return member
    token = secrets.token_hex(8)
    join = Join(
        path=target.path, token=token, engines=tuple(used), patience_ns=patience_ns, boots=boots
    )
    path = make_directory(workspace, join.directory)
    with workspace.opened(join.directory) as fd:
        write_json(fd, _SIGN, {"token": token})
    notes(path)
    world.share(join)
    versions = {name: engines[name].version() or "" for name in used}
    told: list[Joined] = world.gather(Joined(versions=versions))
    problems = [
        f"{world.place.hosts[rank]}: {each.problem}"
        for rank, each in enumerate(told)
        if each.problem
    ]
    problems += _unlike(told, world)
    if not problems:
        problems += _unseen(member, join)
    if problems:
        raise Refused("\n".join(dict.fromkeys(problems)))
    return member


def _unlike(told: Sequence[Joined], world: World) -> list[str]:
    """Where an engine is not the same, or not there, on another host."""
    return [
        f"{world.place.hosts[rank]} has {name} {each.versions[name] or '(none)'} and rank 0 has "
        f"{told[0].versions[name] or '(none)'}: install the same on all hosts"
        for rank, each in enumerate(told)
        for name in each.versions
        if each.versions[name] != told[0].versions[name]
    ]


def _unseen(member: Member, join: Join) -> list[str]:
    """The hosts whose tokens are not seen here."""
    place = member.world.place
    wanted = {f"rank-{rank}": name for name, rank in place.leaders.items() if rank}

    def look() -> bool | None:
        with member.workspace.opened(join.directory) as fd:
            return True if wanted.keys() <= set(os.listdir(fd)) else None

    if awaited(member.world, look):
        return []
    with member.workspace.opened(join.directory) as fd:
        missing = wanted.keys() - set(os.listdir(fd))
    return [
        f"{wanted[name]}: what it wrote in {join.path} can't be seen on {place.host}"
        for name in sorted(missing)
    ]
