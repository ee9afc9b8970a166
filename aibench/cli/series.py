"""All series in the directory of records, and those that a user means."""

import getpass
import os
from collections.abc import Iterable, Sequence

import click

from aibench import __version__, index
from aibench.cli import output, results
from aibench.errors import Refused
from aibench.history import FORMAT, histories, rows
from aibench.model.history import History
from aibench.store import SUFFIX, read

_DEFAULT = "results/baselines"

#: Where the decisions of users lie.
baselines_option = click.option(
    "--baselines",
    "baselines_dir",
    metavar="DIR",
    help="Where baselines are kept.  [default: $AIBENCH_BASELINES, else results/baselines]",
)


def known(results_dir: str | None) -> tuple[History, ...]:
    """All series in the directory for records; what can't be read is named and left out."""
    place, _ = results.directory(results_dir)
    version = f"{FORMAT} {__version__}"
    bodies, problems = index.bodies(place, SUFFIX, version, lambda path: rows(read(path)))
    for problem in problems.values():
        output.say(f"left out: {problem}")
    return histories(bodies.values())


def baselines(given: str | None) -> str:
    """The directory of baselines."""
    return given or os.environ.get("AIBENCH_BASELINES") or _DEFAULT


def user() -> str:
    """Who speaks: the name of the user, or the number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def chosen(histories: Iterable[History], wanted: str | None) -> tuple[History, ...]:
    """The series whose key begins with, or whose name or target has, ``wanted``; all for None.

    Several words all have to be there. `Refused` where there is none.
    """
    found = tuple(histories)
    if wanted is None:
        return found
    fitting = tuple(each for each in found if each.id.key.startswith(wanted))
    words = wanted.split()
    fitting = fitting or tuple(
        each
        for each in found
        if words and all(word in f"{each.id.name} {each.id.target}" for word in words)
    )
    if not fitting:
        raise Refused(
            f"no series {wanted!r} among {len(found)}; 'aibench history' lists them, by the "
            "digits that it shows or by words such as 'load-4k files_per_second'"
        )
    return fitting


def one(histories: Sequence[History], wanted: str) -> History:
    """The one series that is meant. `Refused` where several are, naming them."""
    if len(histories) == 1:
        return histories[0]
    names = "\n".join(f"  {each.id.short}  {each.id.name}" for each in histories[:20])
    raise Refused(f"{wanted!r} means {len(histories)} series:\n{names}\ngive the digits of one")
