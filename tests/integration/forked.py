"""Commands of aibench that begin at once: forked from this process, which has imported it already.

What a command does is the same as in a process of its own: arguments, environment, directory and
standard streams are those that are given, and nothing that tests have opened is open there. Needs
nothing of pytest.
"""

import gc
import multiprocessing
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
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

from aibench import cli
from aibench.definition.claims import shipped_claims
from aibench.definition.references import shipped_references
from aibench.definition.workloads import shipped_workloads

#: What most commands load only when they are called, and when a run is judged and reported.
for _name in (
    *("cli.run_command", "cli.running", "cli.concluding", "cli.verify_command"),
    *("cli.clean_command", "generators.load", "generators.checkpoint_save", "generators.metadata"),
    *("formats.plain", "reporters.terminal", "reporters.html", "reporters.console"),
):
    import_module(f"aibench.{_name}")
# What comes with aibench is read once, and schemas are built when something is first read.
shipped_claims()
shipped_references()
shipped_workloads()
_FORK = multiprocessing.get_context("fork")
_FIRST = 3
"""The first file descriptor behind the standard streams."""


def begun(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    out: Path,
    err: Path,
    directory: str | Path | None = None,
) -> BaseProcess:
    """A command that runs, with its output in the files ``out`` and ``err``, which there are."""
    process = _FORK.Process(target=_command, args=(arguments, environment, directory, (out, err)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that threads of pytest are not in the child
        process.start()
    return process


def started(
    arguments: Sequence[str], environment: Mapping[str, str], directory: str | Path | None = None
) -> "subprocess.Popen[str]":
    """A command that runs, with pipes for its output; it leads a session of its own.

    Popen forks and leaves it to what is called before the execution to execute nothing.
    """
    pipe = subprocess.PIPE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return subprocess.Popen(
            ["aibench", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            restore_signals=False,  # Python ignores SIGPIPE
            preexec_fn=partial(_become, arguments, environment, directory),  # noqa: PLW1509
        )


def forked(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    directory: str | Path | None,
    limit_s: float,
    sessions: set[int],
) -> tuple[int | None, str, str]:
    """(exit status, standard output, standard error); None for a command that had to be killed.

    It leads a session of its own, whose id is added to ``sessions``: what it leaves running is
    found by that.
    """
    with tempfile.TemporaryDirectory() as place:
        streams = [Path(place, name) for name in ("out", "err")]
        for stream in streams:
            stream.touch()
        process = begun(arguments, environment, *streams, directory)
        assert process.pid is not None
        sessions.add(process.pid)
        process.join(limit_s)
        is_late = process.is_alive()
        if is_late:
            process.kill()
            process.join()
        code = None if is_late else process.exitcode
        process.close()
        out, err = (stream.read_text("utf-8", "replace") for stream in streams)
    return code, out, err


def _become(
    arguments: Sequence[str], environment: Mapping[str, str], directory: str | Path | None
) -> NoReturn:
    """What the child does that has its streams, from fork to exit."""
    code = 1
    try:
        _command(arguments, environment, directory)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:  # noqa: BLE001 - it is told, as an interpreter does
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _command(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    directory: str | Path | None,
    streams: Sequence[Path] = (),
) -> None:
    """What the child does, from fork to exit; without ``streams`` it has those it needs."""
    gc.freeze()  # what tests have left must not close its files here
    gc.enable()
    os.setsid()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, path in enumerate((Path(os.devnull), *streams) if streams else ()):
        fd = os.open(path, os.O_RDWR)
        os.dup2(fd, number)
        os.close(fd)
    os.closerange(_FIRST, os.sysconf("SC_OPEN_MAX"))
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    if directory is not None:
        os.chdir(directory)
    warnings.simplefilter("default")
    warnings.simplefilter("ignore", DeprecationWarning)
    sys.argv = ["aibench", *arguments]
    cli.main()
