"""Any lab by one command: ``scripts/labs/mount KIND [KEY=VALUE...] -- COMMAND``.

COMMAND finds the mount in ``AIBENCH_LAB_MOUNT`` and all mounts of it in ``AIBENCH_LAB_MOUNTS``,
separated by colons. When it ends, everything of the lab goes, and its exit code is returned.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from tests import lab
from tests.labs import distributed, faults, hosts, limits

_USAGE = "usage: {program} KIND [KEY=VALUE...] -- COMMAND...\n\n{kinds}"
_NO_SUCH = 2


class Kind(NamedTuple):
    """How a lab comes up, what it promises, and what this machine lacks for it, if anything."""

    up: Callable[..., AbstractContextManager[Any]]
    promise: str
    missing: Callable[[], str]


KINDS = {
    "ext4": Kind(limits.throttled, limits.THROTTLED, lab.missing),
    "xfs": Kind(limits.xfs, limits.THROTTLED, lab.missing),
    "tmpfs": Kind(limits.tmpfs, limits.TMPFS, lab.missing),
    "lost-writes": Kind(limits.lost_writes, limits.LOST_WRITES, lab.missing),
    "faultfs": Kind(faults.faultfs, faults.PROMISE, faults.missing),
    "juicefs": Kind(distributed.juicefs, distributed.JUICEFS, distributed.missing_juicefs),
    "sshfs": Kind(distributed.sshfs, distributed.SSHFS, distributed.missing_sshfs),
    "glusterfs": Kind(distributed.glusterfs, distributed.GLUSTERFS, distributed.missing_glusterfs),
    "moosefs": Kind(distributed.moosefs, distributed.MOOSEFS, distributed.missing_moosefs),
    "hosts": Kind(hosts.hosts, hosts.PROMISE, hosts.missing),
}


def environment(up: Any) -> dict[str, str]:
    """What a command is told about a lab that is up."""
    if isinstance(up, hosts.Hosts):
        return up.environment
    places = [str(place) for place in getattr(up, "clients", ())] or [str(up.path)]
    told = {"AIBENCH_LAB_MOUNT": places[0], "AIBENCH_LAB_MOUNTS": ":".join(places)}
    if isinstance(up, faults.Faulty):
        told["AIBENCH_LAB_FAULTS"] = str(up.control)
    return told


def _settings(words: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` words; a value is JSON where it can be, else text."""
    settings = {}
    for word in words:
        key, _, text = word.partition("=")
        try:
            settings[key.replace("-", "_")] = json.loads(text)
        except ValueError:
            settings[key.replace("-", "_")] = text
    return settings


def main(place: str, program: str, *words: str) -> int:
    """Runs the command in the directory ``place``; its exit code, or 2 where no lab comes up."""
    cut = words.index("--") if "--" in words else len(words)
    before, command = list(words[:cut]), words[cut + 1 :]
    if not before or not command or before[0] not in KINDS:
        kinds = "\n".join(f"{name:12} {kind.promise}" for name, kind in KINDS.items())
        sys.stderr.write(_USAGE.format(program=program, kinds=kinds) + "\n")
        return _NO_SUCH
    kind = KINDS[before[0]]
    if lacking := kind.missing():
        sys.stderr.write(f"{lacking}\n")
        return _NO_SUCH
    with kind.up(**_settings(before[1:])) as up:
        told = os.environ | environment(up)
        return subprocess.run(command, cwd=place, env=told, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
