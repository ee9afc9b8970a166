"""The Engine protocol: a phase goes in, a measurement comes out.

A new engine, in any language, has to take the same `Phase` and return the same `Measurement`.
It refuses what it can't do before a byte is written. It leaves no process behind, however it
ends: `run` may be left by any exception, `errors.Interrupted` from a signal handler among them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aibench.model import Measurement, Phase, Target
from aibench.world import Alone, World

#: Called now and then while a phase runs, with all operations and bytes done so far.
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where and as what a phase runs.

    ``root`` is the absolute path of the workspace; populations lie below it. ``seed`` decides the
    order of access of this repeat. ``patience_ns`` is how long a phase may make no progress at
    all before the engine ends it with `errors.WorkerFailed`. In a ``world`` of many ranks each
    does its part of the phase, and what the engine returns counts on rank 0 only.
    """

    root: str
    target: Target
    seed: int
    host: str
    patience_ns: int = 120 * 10**9
    world: World | None = None

    @property
    def meeting(self) -> World:
        """The world, which may be of one rank."""
        return self.world or Alone(self.host)


class Engine(Protocol):
    """Something that can do phases and measure them."""

    @property
    def name(self) -> str:
        """The name under which the registry has it."""

    def version(self) -> str | None:
        """The version of the tool that really runs, or None where it is not installed."""

    def refusal(self, phase: Phase, target: Target) -> str | None:
        """Why this engine can't do ``phase`` on ``target``, or None; touches nothing."""

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Do ``phase`` to its end. `errors.RunFailed` when it can't."""
