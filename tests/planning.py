"""Workload files and plans for tests: written in one call, planned in another."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aibench.definition.workloads import WorkloadFile, load_workload
from aibench.engine import Engine, Report, Site
from aibench.model import Measurement, Phase, Plan, Target
from aibench.planner import Options, make_plan
from tests import build

LOAD = """\
name = "{name}"
title = "Load"
imitates = "A loader that reads one file a sample."
kind = "load"
suites = ["quick", "full"]
repeats = 4

[params]
files = 1000
size = "4KiB"
sizes = "fixed"
workers = 4

[suite.quick]
repeats = 2
files = 100
"""
NAMES = """\
name = "names"
title = "Names"
imitates = "Scanning a data set's directories."
kind = "metadata"

[params]
files = 500
directories = 5
"""
SAVE = """\
name = "save"
title = "Save"
imitates = "All ranks save their shards."
kind = "checkpoint_save"

[params]
parameters = 1_000_000
ranks = 2
shards = 2
"""


class Anything:
    """An engine that refuses nothing, and does nothing."""

    name = "anything"

    def version(self) -> str | None:
        """Any."""
        return "1"

    def refusal(self, phase: Phase, target: Target) -> str | None:
        """Never."""
        return None

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Nothing is run here."""
        raise NotImplementedError


class Missing(Anything):
    """An engine that is not installed."""

    name = "missing"

    def version(self) -> str | None:
        """None."""
        return None


class Engines(dict[str, Engine]):
    """One engine for every name."""

    def __missing__(self, name: str) -> Engine:
        return Anything()


class Files:
    """Makes workload files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *texts: str) -> list[WorkloadFile]:
        """The workload files with these texts, shown as ``0.toml`` and so on."""
        found = []
        for number, text in enumerate(texts):
            path = self.directory / f"{number}.toml"
            path.write_text(text)
            found.append(load_workload(path, path.name))
        return found


def load(name: str = "mine", **lines: str) -> str:
    """The text of a load workload with some lines replaced."""
    text = LOAD.replace("{name}", name)
    for key, value in lines.items():
        text = "\n".join(
            f"{key} = {value}" if line.startswith(f"{key} = ") else line
            for line in text.splitlines()
        )
    return text


def plan(
    workloads: Sequence[WorkloadFile],
    engines: Any = None,
    target: Target | None = None,
    **options: Any,
) -> Plan:
    """The plan for workload files on two cores."""
    parts = {"name": "test", "seed": 1, "cpus": 2} | options
    return make_plan(workloads, Options(**parts), engines or Engines(), target or build.target())


def only(made: Plan) -> Phase:
    """The measured phase of a plan that has one."""
    (phase,) = made.stages[0].measured
    return phase
