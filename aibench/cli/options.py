"""Options that several commands share, and what they mean."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from aibench.definition import library
from aibench.definition.claims import load_claims
from aibench.definition.system import load_system
from aibench.definition.workloads import WorkloadFile, find_suite, find_workload
from aibench.engine import Engine
from aibench.errors import Refused, TargetError
from aibench.generators.settings import kind_of
from aibench.model import CachePolicy, Claim, Plan, System, Target
from aibench.planner import Options, make_plan
from aibench.probes import mounts, resources
from aibench.registry import plugin

#: The seed of data and order where none is given: equal data is found again.
DEFAULT_SEED = 1
#: Between the values behind one option on their way through click.
_BETWEEN = "\0"

_PLAN_OPTIONS = (
    click.option("-w", "--workload", "workloads", multiple=True, metavar="NAME|FILE",
                 help="A shipped workload or a .toml file; may be repeated."),
    click.option("--suite", metavar="NAME", help="A set of workloads: quick, standard or full."
                 "  [default: quick, unless -w is given]"),
    click.option("--engine", metavar="NAME[,NAME]", help="Do all workloads with this engine, or "
                 "with each of several in turns."),
    click.option("--repeats", type=click.IntRange(1, 1000), metavar="N",
                 help="Repeat each measured phase N times."),
    click.option("--cache", type=click.Choice([policy.value for policy in CachePolicy]),
                 help="Cache policy of all measured phases."),
    click.option("--scale", type=click.FloatRange(0, 10**6, min_open=True), default=1.0,
                 show_default=True, metavar="X", help="Multiply the amount of data by X."),
    click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
                 help="Override a setting, also WORKLOAD.KEY=VALUE; may be repeated."),
    click.option("--rate", "rates", multiple=True, metavar="RATE",
                 help="Offer operations at this rate, whether or not those before are done "
                 "(500op/s, 200MB/s); repeat it for a sweep."),
    click.option("--sweep", "sweeps", multiple=True, metavar="NAME=A,B,...",
                 help="Measure at several levels of a setting, in random order (workers=1,2,4, "
                 "random_block=4KiB,64KiB, hosts=1,2,4); give it twice for a grid."),
    click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=DEFAULT_SEED,
                 show_default=True, metavar="N", help="Decides data and order."),
    click.option("--fstype", metavar="TYPE", help="Refuse unless the target is on this type of "
                 "filesystem, such as nfs4."),
    click.option("--label", metavar="TEXT", help="What to call the target in reports."),
)  # fmt: skip


#: Where a report goes.
output_option = click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write to FILE instead of standard output.",
)
#: What JUnit is told of what decided nothing.
inconclusive_option = click.option(
    "--inconclusive",
    type=click.Choice(["skip", "fail", "pass"]),
    default="skip",
    show_default=True,
    help="In JUnit's XML: what becomes of what decided nothing.",
)


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that decide what a run does."""
    for option in reversed(_PLAN_OPTIONS):
        command = option(command)
    return command


def question_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that decide what is done to each of several targets: all but ``--label``."""
    for option in reversed(_PLAN_OPTIONS[:-1]):
        command = option(command)
    return command


class Following(click.Command):
    """A command whose option ``following`` takes all that stands behind it, up to the next one.

    `groups` gives what stood behind each of them.
    """

    def __init__(self, *args: Any, following: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.following = following

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments as click takes them: all behind the option in one value."""
        return super().parse_args(ctx, self._joined(ctx, args))

    def _joined(self, ctx: click.Context, args: Sequence[str]) -> list[str]:
        end = list(args).index("--") if "--" in args else len(args)
        found: list[str] = []
        behind = False
        for arg in args[:end]:
            name, _, first = arg.partition("=")
            if name == self.following:
                behind = True
                found += [name, first]
            elif arg.startswith("-") and arg != "-":
                behind = False
                found.append(arg)
            elif behind:
                found[-1] += (_BETWEEN if found[-1] else "") + arg
            else:
                found.append(arg)
        for option, value in pairwise([*found, ""]):
            if option == self.following and not value:
                said = f"Option {option!r} requires an argument."
                raise click.BadOptionUsage(option, said, ctx)
        return [*found, *args[end:]]


def groups(values: Sequence[str]) -> list[list[str]]:
    """What stood behind each of the options of a `Following` command."""
    return [value.split(_BETWEEN) for value in values]


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


def chosen_claims(names: Sequence[str]) -> tuple[Claim, ...]:
    """All shipped claims, or those named by id or by file."""
    shipped = tuple(claim for path in library.files("claims") for claim in load_claims(path))
    if not names:
        return shipped
    found: list[Claim] = []
    for name in names:
        if name.endswith(".toml") or "/" in name:
            found += load_claims(Path(name))
            continue
        fitting = [claim for claim in shipped if name in (claim.id, claim.vendor)]
        if not fitting:
            known = ", ".join(claim.id for claim in shipped)
            raise Refused(f"no claim {name!r}; shipped: {known}; or give the path of a .toml file")
        found += fitting
    return tuple(found)


def chosen_system(path: str | None) -> System | None:
    """The system file, where one is given."""
    return None if path is None else load_system(Path(path))
