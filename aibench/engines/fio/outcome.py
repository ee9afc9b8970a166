"""How fio ended, as the errors of `aibench.errors`; None when all went well."""

import errno
import os
import re
from collections.abc import Sequence

from aibench.engines.fio.output import Reading
from aibench.errors import RunFailed, TargetFailed, WorkerFailed
from aibench.process import Finished

#: errno -> stable code of a `TargetFailed`.
CODES = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "quota",
    errno.EROFS: "read_only",
    errno.EIO: "io_error",
    errno.EREMOTEIO: "io_error",
    errno.ESTALE: "stale",
    errno.ENOTCONN: "target_lost",
    errno.ESHUTDOWN: "target_lost",
    errno.EHOSTDOWN: "target_lost",
    errno.ETIMEDOUT: "target_lost",
    errno.ENODEV: "target_lost",
    errno.ENXIO: "target_lost",
}
_TERMINATED = re.compile(r"terminating on signal (\d+)")


def failure(
    finished: Finished, last: Reading | None, notes: Sequence[str], phase: str
) -> RunFailed | None:
    """Why fio's run of ``phase`` does not count, or None.

    A job's error number comes first: it names the cause even where fio was then told to end.
    """
    said = last_words(finished, notes)
    if (signal_name := finished.signal_name) is not None:
        return WorkerFailed(f"fio was killed by {signal_name} in phase {phase!r}{said}")
    number = next((job.error for job in last.jobs if job.error), 0) if last else 0
    if number:
        return target_failed(number, f"phase {phase!r}{said}")
    if told := _TERMINATED.search(said):
        return WorkerFailed(f"fio was told to end by signal {told[1]} in phase {phase!r}")
    if finished.status or "end_fsync failed" in said:
        return WorkerFailed(f"fio failed with status {finished.status} in phase {phase!r}{said}")
    if last is None:
        return WorkerFailed(f"fio left no record of phase {phase!r}{said}")
    return None


def target_failed(number: int, what: str) -> TargetFailed:
    """The error ``number`` that the target returned, with its stable code."""
    reason = os.strerror(number)
    if number == errno.EINVAL:
        reason += " (often: no O_DIRECT here, or not for this block size)"
    return TargetFailed(f"{reason}: {what}", CODES.get(number, "target_failed"))


def last_words(finished: Finished, notes: Sequence[str] = ()) -> str:
    """What fio said besides its record, as `` (fio: ...)`` on one printable line, or nothing."""
    said = [*finished.errors.decode(errors="replace").splitlines(), *notes[-3:]]
    lines = [line.strip().removeprefix("fio: ") for line in said if line.strip()]
    text = " | ".join(dict.fromkeys(lines))
    printable = "".join(c if c.isprintable() else "?" for c in text)
    if len(printable) > 400:
        printable = f"{printable[:200]} ... {printable[-200:]}"
    return f" (fio: {printable})" if printable else ""
