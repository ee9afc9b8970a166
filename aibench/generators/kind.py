"""What every kind of workload is: a schema for its settings and a function to phases."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from aibench.model import CachePolicy, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line adds to a workload's own settings.

    ``cache`` overrides the workload's policy where set. ``cpus`` is the number of usable cores,
    for settings that say 0 (automatic). ``ranks`` are those that take part, on all hosts together;
    ``fleet`` are the ranks on each host that there is.
    """

    workload: str
    seed: int
    cpus: int
    cache: CachePolicy | None = None
    ranks: int = 1
    fleet: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of workload: what it does, its settings, its default engine, its phases.

    ``phases`` is pure: equal settings and requests give equal phases, preparing ones first.
    ``scaled`` names the settings that ``--scale`` multiplies. ``repeats`` tells how often settings
    ask for their phases, where they do.
    """

    name: str
    summary: str
    engine: str
    settings: type[BaseModel]
    phases: Callable[[Any, Request], tuple[Phase, ...]]
    scaled: tuple[str, ...] = ()
    repeats: Callable[[Any], int] | None = None
