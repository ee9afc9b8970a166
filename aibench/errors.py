"""The tree of expected errors, each with the exit code of a command that ends with it.

::

    AibenchError                4  the run failed
    |-- Refused                 2  refused before a byte was written, or wrong usage
    |   |-- DefinitionError     2  a workload, claim or system file, or --set, is wrong
    |   |-- TargetError         2  the target is missing, read-only or not what was asked for
    |   |-- WorkspaceError      2  the directory on the target is not aibench's, or is in use
    |   |-- RecordError         2  a record can't be read
    |   |-- LibraryMissing      2  a format needs a package that is not installed
    |   `-- UnitError           2  a size, rate or time can't be parsed
    `-- RunFailed               4  the run began and could not end well
        |-- WorkerFailed        4  a worker process or the tool that does the I/O failed
        |-- TargetFailed        4  the target returned an error: full, read-only, stale, I/O error
        |-- RankFailed          4  another rank of a run on many hosts failed, died or was lost
        |-- WorldEnded          4  rank 0 has ended the run that this rank takes part in
        `-- Interrupted         4  SIGINT, SIGTERM or SIGHUP

Anything else that reaches the command line is a bug and shows its traceback.
"""

from collections.abc import Sequence


class AibenchError(Exception):
    """An expected error: a message for the user and an exit code."""

    exit_code = 4
    code = "failed"


class Refused(AibenchError):
    """aibench declines before it has written anything."""

    exit_code = 2
    code = "refused"


class DefinitionError(Refused):
    """One or more mistakes in a definition, each a line that names its place."""

    code = "definition"

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class TargetError(Refused):
    """The target can't be measured as asked."""

    code = "target"


class WorkspaceError(Refused):
    """The directory on the target is not aibench's, or another run holds it."""

    code = "workspace"


class RecordError(Refused):
    """A file is not a readable record."""

    code = "record"


class UnitError(Refused, ValueError):
    """A size, rate, count or time can't be parsed."""

    code = "unit"


class LibraryMissing(Refused, ValueError):
    """A workload's format needs a package that is not installed; other workloads can go on."""

    code = "library_missing"


class RunFailed(AibenchError):
    """The run began and could not end well; its record says why."""

    code = "run_failed"


class WorkerFailed(RunFailed):
    """A worker process, or the tool that does the I/O, died or hung."""

    code = "worker_failed"


class TargetFailed(RunFailed):
    """The target returned an error that ends the run.

    ``code`` is stable: ``no_space``, ``read_only``, ``io_error``, ``stale``, ``quota``,
    ``target_lost`` or ``target_failed``.
    """

    def __init__(self, message: str, code: str = "target_failed") -> None:
        self.code = code
        super().__init__(message)


class RankFailed(RunFailed):
    """A rank failed, died or was not heard of; the message names it and its host.

    ``code`` is that of the error that the rank reported, else ``rank_died`` or ``rank_lost``.
    """

    def __init__(self, message: str, code: str = "rank_died") -> None:
        self.code = code
        super().__init__(message)


class WorldEnded(RunFailed):
    """Rank 0 has ended the run; nothing is to be said about it here."""

    code = "world_ended"


class Interrupted(RunFailed):
    """A signal asked the run to end."""

    code = "interrupted"
