"""Options that several commands share."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import click

from aibench.model import CachePolicy

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
