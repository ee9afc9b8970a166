"""What ``--sweep NAME=a,b,c`` asks for: one setting or two, and the levels of each."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aibench.definition.source import line_of
from aibench.definition.workloads import WorkloadFile
from aibench.errors import DefinitionError, Refused, UnitError
from aibench.generators.settings import kind_of
from aibench.model import Level
from aibench.units import parse_size

#: The level that is no setting: how many of the hosts take part.
HOSTS = "hosts"
#: A chart or a heat map of more settings could not be read.
_MOST_AXES = 2
#: A grid of more would not be measured in a night.
_MOST_LEVELS = 128
_WHOLE = re.compile(r"[1-9]\d{0,17}", re.ASCII)

#: One level of each axis.
Levels = tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A setting and its levels, in the order in which they were given."""

    name: str
    levels: Levels


def axes(texts: Sequence[str], fleet: Sequence[int]) -> tuple[Axis, ...]:
    """What ``NAME=a,b,c`` asks for, once or twice. `Refused` says what would be right.

    ``fleet`` are the ranks on each host that there is.
    """
    found = tuple(_axis(text) for text in texts)
    names = [axis.name for axis in found]
    if len(found) > _MOST_AXES or len(set(names)) < len(names):
        raise Refused(
            f"--sweep {', '.join(names)}: one setting, or two different ones for the grid of both"
        )
    count = 1
    for axis in found:
        count *= len(axis.levels)
        most = max(level.value for level in axis.levels)
        if axis.name == HOSTS and most > len(fleet):
            raise Refused(_too_few_hosts(axis, most, len(fleet)))
    if count > _MOST_LEVELS:
        raise Refused(f"--sweep: {count} levels are more than {_MOST_LEVELS}; leave some out")
    return found


def own(
    file: WorkloadFile, changes: Mapping[str, Mapping[str, Any]], fleet: Sequence[int]
) -> tuple[Axis, ...]:
    """What the file's own table ``sweep`` asks for, without settings that ``changes`` set.

    `DefinitionError` names the line of a mistake.
    """
    name = file.workload.name
    decided = {*changes.get("*", {}), *changes.get(name, {})}
    wanted = {key: levels for key, levels in file.sweep.items() if key not in decided}
    texts = [f"{key}={','.join(map(str, levels))}" for key, levels in wanted.items()]
    try:
        found = axes(texts, fleet)
        mistakes = unknown(found, [file])
    except Refused as error:
        mistakes = [str(error)]
    if mistakes:
        line = line_of(file.text, ("sweep",))
        told = (text.removeprefix("--sweep").strip() for text in mistakes)
        raise DefinitionError([f"{file.path}:{line}: sweep: {text}" for text in told])
    return found


def _axis(text: str) -> Axis:
    name, equals, values = (part.strip() for part in text.partition("="))
    parts = [part.strip() for part in values.split(",")]
    if not equals or not name or not all(parts):
        raise Refused(
            f"--sweep {text!r}: write a setting and its levels, for example workers=1,2,4"
        )
    levels = tuple(_level(name, part, text) for part in parts)
    if len({level.unit for level in levels}) > 1:
        raise Refused(f"--sweep {text!r}: counts, or sizes with their units, not both")
    if len({level.value for level in levels}) < len(levels):
        raise Refused(f"--sweep {text!r}: each level stands there once")
    if len(levels) < 2:
        raise Refused(f"--sweep {text!r}: one level is no sweep; set it with --set {text}")
    if name == HOSTS and levels[0].unit:
        raise Refused(f"--sweep {text!r}: hosts are counted; write for example hosts=1,2,4")
    return Axis(name=name, levels=levels)


def _level(name: str, part: str, text: str) -> Level:
    if _WHOLE.fullmatch(part):
        return Level(name=name, value=int(part))
    with suppress(UnitError):
        if (size := parse_size(part)) > 0:
            return Level(name=name, value=size, unit="B")
    raise Refused(
        f"--sweep {text!r}: levels are whole numbers from 1 on, or sizes such as 64KiB, "
        f"not {part!r}"
    )


def _too_few_hosts(axis: Axis, most: int, there: int) -> str:
    names = ",".join(f"HOST{number + 1}" for number in range(most))
    levels = ",".join(level.printed for level in axis.levels)
    return (
        f"--sweep {HOSTS}={levels}: this run has {there} host{'' if there == 1 else 's'}; start "
        f"it on all of them: mpirun -n {most} --host {names} aibench run TARGET ... "
        f"--sweep {HOSTS}={levels}"
    )


def unknown(asked: Sequence[Axis], files: Sequence[WorkloadFile]) -> list[str]:
    """A line for each workload that lacks a setting that is swept."""
    lines = []
    for axis in asked:
        if axis.name == HOSTS:
            continue
        for file in files:
            with suppress(DefinitionError):
                known = kind_of(file).settings.model_fields
                if axis.name not in known:
                    lines.append(
                        f"--sweep {axis.name}: {file.workload.name} (kind {file.workload.kind}) "
                        f"has no such setting; name others with -w. It has: "
                        f"{', '.join(sorted({*known, HOSTS}))}"
                    )
    return lines
