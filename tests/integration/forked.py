"""Commands of aibench that begin at once: forked from this process, which has imported it already.

What a command does is the same as in a process of its own: arguments, environment, directory and
standard streams are those that are given, and nothing that tests have opened is open there. Needs
nothing of pytest.
"""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

import scipy.special  # noqa: F401 - 0.2 s, when there are intervals to be told

from aibench import cli
from aibench.definition.claims import shipped_claims
from aibench.definition.references import shipped_references
from aibench.definition.workloads import shipped_workloads

#: What most commands load only when they are called, and when a run is judged and reported.
for _name in (
    *("cli.run_command", "cli.running", "cli.concluding", "cli.verify_command"),
    *("cli.clean_command", "generators.load", "generators.checkpoint_save", "generators.metadata"),
    *("generators.checkpoint_load", "generators.block", "engines.fio", "world.launch"),
    *("formats.plain", "reporters.terminal", "reporters.html", "reporters.console"),
):
    import_module(f"aibench.{_name}")
# What comes with aibench is read once, and schemas are built when something is first read.
shipped_claims()
shipped_references()
shipped_workloads()
_FIRST = 3
"""The first file descriptor behind the standard streams."""


def started(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    directory: str | Path | None = None,
    *,
    out: int | IO[str] = subprocess.PIPE,
    err: int | IO[str] = subprocess.PIPE,
) -> "subprocess.Popen[str]":
    """A command that runs, with its output in ``out`` and ``err``; it leads a session of its own.

    Popen forks and leaves it to what is called before the execution to execute nothing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that threads of pytest are not in the child
        return subprocess.Popen(
            ["aibench", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            encoding="utf-8",
            errors="replace",
            cwd=directory,
            restore_signals=False,  # Python ignores SIGPIPE
            start_new_session=True,
            preexec_fn=partial(_become, arguments, environment),  # noqa: PLW1509
        )


def forked(
    arguments: Sequence[str], environment: Mapping[str, str], limit_s: float
) -> tuple[int | None, str, str]:
    """(exit status, standard output, standard error); None for a command that had to be killed."""
    with started(arguments, environment) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return None, *process.communicate()
    return process.returncode, out, err


def exit_status(left: SystemExit) -> int:
    """The exit status of an interpreter that is left so."""
    return left.code if isinstance(left.code, int) else 0 if left.code is None else 1


def _become(arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """What the child does, from fork to exit."""
    code = 1
    try:
        _command(arguments, environment)
        code = 0
    except SystemExit as left:
        code = exit_status(left)
    except BaseException:  # noqa: BLE001 - it is told, as an interpreter does
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _command(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """The command, in a process that has its standard streams and nothing else open."""
    _stand_back()
    gc.freeze()  # what tests have left must not close its files here
    gc.enable()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.closerange(_FIRST, os.sysconf("SC_OPEN_MAX"))
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # whoever forks may have looked before
    warnings.simplefilter("default")
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.argv = ["aibench", *arguments]
    cli.main()


def _stand_back() -> None:
    """As nice as who forks it, also to other sessions: the scheduler may weigh those alike."""
    with suppress(OSError):  # it does not, or not here
        Path("/proc/self/autogroup").write_text(str(os.nice(0)))
