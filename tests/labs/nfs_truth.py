"""What others than aibench count inside the NFS lab: the server itself, and strace."""

import re
import tempfile
from collections import Counter
from pathlib import Path

#: The places of these in the lines ``proc3`` and ``proc4ops`` of the server's counters.
_V3 = {"GETATTR": 1, "LOOKUP": 3, "ACCESS": 4, "READ": 6, "WRITE": 7, "COMMIT": 21}
_V4 = {"COMMIT": 5, "GETATTR": 9, "OPEN": 18, "READ": 25, "WRITE": 38, "READ_PLUS": 68}
_CALL = re.compile(r"(openat|readv|read|write|pwritev|fsync)\((.*)\) += (\d+)(?:<(.*)>)?$")
_FILE = re.compile(r"/aibench-data/(?:data|scratch)/.*/[fr]\d{10}")


def server() -> Counter[str]:
    """Operations that the kernel's server did so far, by type, and bytes read and written."""
    found: Counter[str] = Counter()
    for line in Path("/proc/net/rpc/nfsd").read_text().splitlines():
        name, *words = line.split()
        if name == "io":
            found["read_bytes"], found["written_bytes"] = map(int, words[:2])
        for kind, places in (("proc3", _V3), ("proc4ops", _V4)):
            if name == kind:
                counts = [int(word) for word in words[1:]]
                found.update({n: counts[p] for n, p in places.items() if p < len(counts)})
    return found


class Trace:
    """A directory for strace, and what it counted of the data files in worker processes."""

    def __init__(self) -> None:
        self._place = Path(tempfile.mkdtemp())

    @property
    def command(self) -> tuple[str, ...]:
        """What comes before a command to trace it; one file for each process."""
        calls = "trace=openat,readv,read,write,pwritev,fsync"
        words = f"strace -ff --seccomp-bpf -y -s0 -e {calls} -o".split()
        return (*words, str(self._place / "trace"))

    def counted(self, moving: str) -> dict[str, int]:
        """Calls and bytes of those processes that did ``moving`` (``readv``, ``write``)."""
        found: Counter[str] = Counter()
        for path in self._place.iterdir():
            calls = [call for line in path.read_text().splitlines() if (call := _parsed(line))]
            if any(name == moving for name, _ in calls):
                found.update(Counter(name for name, _ in calls))
                found["bytes"] += sum(moved for name, moved in calls if name == moving)
        return dict(found)


def _parsed(line: str) -> tuple[str, int] | None:
    """The name and the bytes of a call on a data file; None for any other."""
    call = _CALL.match(line)
    if call is None:
        return None
    name, arguments, result, opened = call.groups()
    return (name, int(result)) if _FILE.search(opened if name == "openat" else arguments) else None
