"""Which results may be compared over time: one series is one client, mount, target and question.

Pure functions of a record, so that those of old records can be told as well. Two results whose
keys differ can stand side by side; neither is a regression of the other.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from aibench.model import Environment, Launch, Phase, RunRecord, Stage, System, Target
from aibench.model.levels import unswept

#: What of a client's key counts, whatever else a record has there.
_CLIENT = ("cpu", "sockets", "cores", "memory_gib", "numa_nodes", "kernel", "nic")
#: Options that change from mount to mount of the same filesystem, or name places and people.
_VOLATILE = frozenset(
    {
        *("addr", "clientaddr", "mountaddr", "mountport", "port", "mon_addr", "fsid"),
        *("fd", "pgrp", "pipe_ino", "rootmode", "user_id", "group_id", "uid", "gid"),
        *("username", "user", "domain", "secret", "name", "subvolid"),
        *("seclabel", "context", "fscontext", "defcontext", "rootcontext"),
        *("lowerdir", "upperdir", "workdir"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """SHA-256 keys of what a result belongs to, and the version of aibench that decides.

    ``client``: processors, memory, kernel and network cards, and of how many hosts. ``mount``:
    type, server and export (or label), and options. ``target``: what the user calls it, and its
    drives' firmware.
    ``workload``: the phase that was done, by which engine. ``harness``: see `harness_version`.
    """

    client: str
    mount: str
    target: str
    workload: str
    harness: str

    @property
    def series(self) -> str:
        """The key of the series: equal where all others are."""
        return _sha256(asdict(self))


def identity(record: RunRecord, stage: Stage, phase: Phase) -> Identity:
    """What the results of ``phase`` in ``record`` belong to."""
    return Identity(
        client=_sha256(client_facts(record.environment, record.launch)),
        mount=_sha256(mount_facts(record.target)),
        target=_sha256(target_facts(record.target, record.system, record.environment)),
        workload=_sha256(workload_facts(stage, phase)),
        harness=harness_version(record.aibench_version),
    )


def client_facts(environment: Environment, launch: Launch | None = None) -> dict[str, Any]:
    """What makes clients equal; None for what a record does not tell.

    One host is the same client with MPI as without. Of more, their number counts and what is not
    as on the first of them, but neither their names nor how many ranks each has.
    """
    facts = {name: environment.key.get(name) for name in _CLIENT}
    if launch is None or len(launch.hosts) == 1:
        return facts
    unlike = [{n: v for n, v in host.differs.items() if n in _CLIENT} for host in launch.hosts]
    told = sorted(json.dumps(each, sort_keys=True) for each in unlike if each)
    return facts | {"hosts": len(launch.hosts)} | ({"other_hosts": told} if told else {})


def mount_facts(target: Target) -> dict[str, Any]:
    """What makes mounts equal: the user's label stands for server and export where one was given.

    Without a label a disk is known by its device's path, which may change when drives are added.
    """
    return {
        "fstype": target.fstype,
        "alias": label(target) or target.source,
        "options": list(normalised(target.options)),
    }


def target_facts(target: Target, system: System | None, environment: Environment) -> dict[str, Any]:
    """What makes two targets the same storage with the same firmware.

    Of the system file what names product, version and node (``extra.node``), not price or power.
    """
    told = environment.metadata
    return {
        "label": label(target),
        "drives": told.get("target_id") or told.get("target_model"),
        "firmware": told.get("target_firmware"),
        "system": None
        if system is None
        else {
            "vendor": system.vendor,
            "product": system.product,
            "version": system.version,
            "unit": system.unit,
            "units": system.units,
            "node": system.extra.get("node"),
        },
    }


def workload_facts(stage: Stage, phase: Phase) -> dict[str, Any]:
    """What makes two phases the same question: everything but titles, places and seeds."""
    parts = unswept(asdict(phase))
    for part in _populations(parts):
        del part["directory"], part["seed"]
    return {
        "workload": stage.beside or stage.workload,
        "kind": stage.kind,
        "engine": stage.engine,
        **parts,
    }


def _populations(parts: Any) -> Iterator[dict[str, Any]]:
    """All parts of a phase that say which files there are, however deep."""
    if isinstance(parts, dict):
        if parts.keys() >= {"directory", "seed"}:
            yield parts
        for part in parts.values():
            yield from _populations(part)
    elif isinstance(parts, list | tuple):
        for part in parts:
            yield from _populations(part)


def harness_version(version: str) -> str:
    """The part of aibench's version that decides: ``2`` of 2.1.3, and ``0.4`` of 0.4.1.

    Up to 1.0 each minor version may measure differently (semver.org, 4).
    """
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if numbers is None:
        return version
    major, minor = numbers.groups()
    return major if major != "0" else f"0.{minor}"


def label(target: Target) -> str | None:
    """What the user calls the target; None where it is only called by its path."""
    return None if target.label.startswith("/") else target.label


def normalised(options: Iterable[str]) -> tuple[str, ...]:
    """Mount options in order and once each, without those that only name this mounting."""
    return tuple(sorted({o for o in options if o and o.partition("=")[0] not in _VOLATILE}))


def _sha256(facts: Mapping[str, Any]) -> str:
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
