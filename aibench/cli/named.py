"""What the command line names and every rank has to find: the directory to measure, and engines."""

from aibench.engine import Engine
from aibench.errors import TargetError
from aibench.model import Target
from aibench.probes import mounts
from aibench.registry import plugin


class Engines(dict[str, Engine]):
    """Engines by name, made when first asked for."""

    def __missing__(self, name: str) -> Engine:
        engine: Engine = plugin("engines", name)()
        self[name] = engine
        return engine


def find_target(path: str, label: str | None, fstype: str | None) -> Target:
    """The directory to measure. `TargetError` when it is not one, or not what was expected."""
    if (problem := mounts.writable_problem(path)) is not None:
        raise TargetError(problem)
    if (point := mounts.unmounted_entry(path)) is not None:
        raise TargetError(
            f"{path}: {point} is in /etc/fstab and is not mounted now, so this is the directory "
            "below it; mount it first"
        )
    target = mounts.describe(path, label)
    if fstype is not None and target.fstype != fstype:
        raise TargetError(
            f"{path} is on {target.fstype} (mounted at {target.mount_point}), not on {fstype}; "
            "is it mounted?"
        )
    return target
