"""The command line: the only code that reads arguments, prints and exits.

A command is imported when it is called, so that ``aibench --help`` costs little more than click.
"""

import atexit
import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from io import StringIO, TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

import click

from aibench import __version__
from aibench.errors import AibenchError

if TYPE_CHECKING:
    from aibench.world import World

#: Command -> what it does. Its module in this package has its name.
_COMMANDS = {
    "run": "Benchmark a directory on a mount, and judge vendors' claims.",
    "plan": "Show what a run would do: bytes, space, time. Touches nothing.",
    "doctor": "Is this machine fit to measure this mount?",
    "list": "List workloads, suites, claims, references, engines or formats.",
    "show": "Show one workload, claim, engine or format in full.",
    "duel": "Which of two or more mounts is better? Interleaved pairs.",
    "compare": "Hold records against each other: which side is better?",
    "report": "Render a record: terminal, html, markdown or json.",
    "judge": "Verdicts on claims again, from a record.",
    "impact": "Project what storage does to a training cluster.",
    "check": "Has a run regressed against those before it, or missed a bound?",
    "baseline": "Begin, show and accept the levels that check holds runs against.",
    "history": "Series over all records: levels, changes, drift.",
    "verify": "Read back and check the data that runs left on a target.",
    "clean": "Remove what aibench made on a target, and nothing else.",
}


class _Commands(click.Group):
    """A group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"aibench.cli.{cmd_name}_command").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="aibench")
def commands() -> None:
    r"""Storage benchmarks for AI data pipelines.

    Point aibench at a directory on a mounted filesystem and learn what it would do for AI
    training, how the numbers are known, and how they compare with vendors' claims:

    \b
        aibench run /mnt/data --suite quick

    Exit codes: 0 done, met; 1 not met; 2 usage or refused; 3 inconclusive; 4 the run failed.
    """


#: What may touch a target, and so may hang there.
_TOUCHING = frozenset({"run", "duel", "plan", "doctor", "check", "verify", "clean"})


#: Loading makes more objects than this, and all of them stay.
_GARBAGE = 50_000

#: What several ranks do together; any other command is done by the first of them alone.
_TOGETHER = frozenset({"run", "plan", "duel", "check"})


def main() -> None:
    """Run the command line; what may hang on a target runs in a child that is watched."""
    from aibench.world.launch import launched, leads_host, require_mpi

    command = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        launch = launched(os.environ)
        if launch is not None and command in _TOGETHER:
            require_mpi(launch)
    except AibenchError as error:
        if leads_host(os.environ):
            _complain(str(error), error.exit_code)
        sys.exit(error.exit_code)
    if launch is not None and command in _TOGETHER:
        from aibench.cli.ranks import supervised_rank

        supervised_rank(launch, partial(_begun, _main), partial(_begun, _serve))
    if launch is not None and launch.rank:
        return
    if _TOUCHING.isdisjoint(sys.argv[1:]):
        _begun(_main)
        return
    from aibench.cli.supervisor import supervised

    supervised(partial(_begun, _main))


def _begun(body: Callable[..., None], *given: "World") -> None:
    """Run ``body`` in a process that looks for garbage less than is usual, and not at its end."""
    gc.set_threshold(_GARBAGE)
    atexit.register(gc.freeze)  # a process that ends needs no look at all that it made
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no threads before workers are forked
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it would look for them all over
    body(*given)


def _serve(world: "World") -> None:
    """What a rank other than 0 does."""
    from aibench.cli.serving import serve

    serve(world)


def _main() -> None:
    """Run a command; expected errors become one message and their exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a narrow locale costs signs, not the report
    try:
        commands.main(standalone_mode=False)
    except click.exceptions.Exit as left:
        sys.exit(left.exit_code)
    except click.Abort:
        _complain("stopped", 4)
    except click.ClickException as error:
        _show(error)
        sys.exit(2)
    except AibenchError as error:
        _complain(str(error), error.exit_code)


def _show(error: click.ClickException) -> None:
    """What click says of a wrong call, which may hold any name that a shell expanded to."""
    from aibench.reporters.clean import clean_block

    text = StringIO()
    error.show(text)
    with suppress(OSError):  # nobody listens any more
        click.echo(clean_block(text.getvalue()), err=True)


def _complain(message: str, exit_code: int) -> NoReturn:
    from aibench.cli.output import say

    say(message)
    sys.exit(exit_code)
