"""What the options of a plan mean: workloads, engines, and the plan itself."""

import json
from collections.abc import Sequence
from typing import Any

from aibench.cli.named import Engines
from aibench.definition.workloads import WorkloadFile, find_suite, find_workload
from aibench.errors import Refused
from aibench.generators.settings import kind_of
from aibench.model import CachePolicy, Plan, Target
from aibench.planner import Options, make_plan
from aibench.probes import resources


def chosen_workloads(names: Sequence[str], suite: str | None) -> tuple[WorkloadFile, ...]:
    """The workloads that were asked for: some by name, or a suite."""
    if names:
        files = tuple(find_workload(name) for name in names)
        known = [file.workload.name for file in files]
        if len(set(known)) != len(known):
            raise Refused("the same workload was given twice; use --repeats to repeat it")
        return files
    return find_suite(suite or "quick")


def build_plan(
    target: Target, given: dict[str, Any], *, cpus: int = 0, fleet: tuple[int, ...] = (1,)
) -> tuple[Plan, Engines]:
    """The plan for the options of `plan_options`, and the engines that it needs.

    ``cpus`` are those of a rank, 0 for all that this process may use; ``fleet`` is how many ranks
    each host has.
    """
    files = chosen_workloads(given["workloads"], given["suite"])
    suite = given["suite"] or (None if given["workloads"] else "quick")
    name = files[0].workload.name if len(files) == 1 else suite or "run"
    engines = Engines()
    options = Options(
        name=name,
        seed=given["seed"],
        cpus=cpus or resources.usable_cpus(),
        fleet=fleet,
        suite=suite,
        engine=given["engine"],
        repeats=given["repeats"],
        cache=None if given["cache"] is None else CachePolicy(given["cache"]),
        scale=given["scale"],
        settings=(*given["settings"], *_rates(given["rates"], files)),
        sweeps=given["sweeps"],
    )
    for engine in options.engines:
        engines[engine]
    if len(set(options.engines)) < len(options.engines):
        raise Refused(f"--engine {options.engine}: each engine once")
    return make_plan(files, options, engines, target), engines


def _rates(rates: Sequence[str], files: Sequence[WorkloadFile]) -> tuple[str, ...]:
    """``--rate`` as a setting of all workloads. `Refused` names those that have no rates."""
    if not rates:
        return ()
    without = [
        f"{file.workload.name} (kind {file.workload.kind})"
        for file in files
        if "rates" not in kind_of(file).settings.model_fields
    ]
    if without:
        raise Refused(
            f"--rate: no rate can be offered to {', '.join(without)}; name workloads of the kinds "
            "load and block with -w"
        )
    return (f"rates={json.dumps(list(rates))}",)
