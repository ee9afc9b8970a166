"""Measures inside the NFS lab with dd, fio, ping and the kernel's own counters; prints JSON.

Runs by itself, with nothing of aibench: ``nfs_probe.py CHECK...``, each the name of a function.
"""

import errno
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MOUNT = Path(os.environ.get("AIBENCH_LAB_MOUNT", "."))
EXPORT = Path(os.environ.get("AIBENCH_LAB_EXPORT", "."))
COMMON = Path(os.environ.get("AIBENCH_LAB_COMMON", "."))
CLIENT = int(os.environ.get("AIBENCH_LAB_CLIENT", "0"))
SIZE = 32 * 2**20


def run(*words: str | Path) -> str:
    """What a command prints, errors included."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def control(word: str) -> None:
    """Stops or starts the server."""
    run(os.environ["AIBENCH_LAB_CONTROL"], word)


def drop_caches() -> None:
    """Makes the next read go to the server."""
    Path("/proc/sys/vm/drop_caches").write_text("3")


def mountinfo() -> list[str]:
    """Type, source and options of the mount, as the kernel lists them."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[4] == str(MOUNT):
            return after.split()
    return []


def server_bytes() -> tuple[int, int]:
    """Bytes read from and written to the server of the mount so far, by mountstats."""
    text = Path("/proc/self/mountstats").read_text()
    words = text.partition(f" mounted on {MOUNT} ")[2].partition("\tbytes:")[2].split()
    return int(words[4]), int(words[5])


def dd(source: str | Path, to: str | Path, *more: str) -> float:
    """Bytes per second that dd reports."""
    text = run("dd", f"if={source}", f"of={to}", "bs=1M", *more)
    found = re.search(r"^(\d+) bytes.*copied, ([\d.e-]+) s", text, re.MULTILINE)
    assert found, text
    return int(found[1]) / float(found[2])


def bandwidth() -> dict[str, float]:
    """Rates of dd to the server and from it, and the bytes that mountstats counted meanwhile.

    A transfer before the measured one opens the connection's window.
    """
    memory, file = Path("/dev/shm/random"), MOUNT / "file"
    memory.write_bytes(os.urandom(SIZE))
    dd(memory, file, "conv=fsync")
    read, written = server_bytes()
    write_rate = dd(memory, file, "conv=fsync,notrunc")
    drop_caches()
    read_rate = dd(file, "/dev/null")
    after = server_bytes()
    result = {"write": write_rate, "read": read_rate, "asked": SIZE}
    return result | {"read_bytes": after[0] - read, "written_bytes": after[1] - written}


def latency() -> dict[str, float]:
    """Milliseconds of a round trip by ping, and of a 4 KiB read by fio, medians."""
    address = re.search(r"[,\s]addr=([\d.]+)", " ".join(mountinfo()))
    assert address
    times = re.findall(r"time=([\d.]+)", run("ping", "-c", "21", "-i", "0.1", address[1]))
    file = MOUNT / "small"
    file.write_bytes(os.urandom(2**20))
    fio = run("fio", "--name=read", f"--filename={file}", "--rw=randread", "--bs=4k", "--direct=1",
              "--number_ios=51", "--output-format=json", "--allow_file_create=0")  # fmt: skip
    percentiles = json.loads(fio)["jobs"][0]["read"]["clat_ns"]["percentile"]
    return {
        "ping": statistics.median(map(float, times)),
        "fio": percentiles["50.000000"] / 1e6,
    }


def refusal(act: Any) -> str:
    """The name of the error that a call ends with; empty where it succeeds."""
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


def stopped() -> dict[str, Any]:
    """What opening says before the server is stopped, meanwhile, and after it was started again."""
    file = MOUNT / "stopped"
    file.write_bytes(b"x" * 4096)

    def read() -> None:
        os.close(os.open(file, os.O_RDONLY))

    before = refusal(read)
    control("stop")
    meanwhile = refusal(read)
    control("start")
    deadline = time.monotonic() + 20
    while (after := refusal(read)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return {"before": before, "meanwhile": meanwhile, "after": after}


def hung() -> dict[str, Any]:
    """Whether dd waits for a server that hangs, and how it ends when the server wakes."""
    file = MOUNT / "hung"
    file.write_bytes(b"x" * 4096)
    control("hang")
    reader = subprocess.Popen(["dd", f"if={file}", "of=/dev/null"], stderr=subprocess.DEVNULL)
    time.sleep(3)
    waits = reader.poll() is None
    control("start")
    return {"waits": waits, "code": reader.wait(timeout=20)}


def stale() -> dict[str, str]:
    """What listing an open directory says before and after it was removed on the server."""
    folder = MOUNT / "removed"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    before = refusal(lambda: os.listdir(descriptor))
    (EXPORT / "removed").rmdir()
    drop_caches()
    result = {"before": before, "after": refusal(lambda: os.listdir(descriptor))}
    os.close(descriptor)
    return result


def meet(name: str) -> None:
    """Waits, without NFS, until both clients have come here."""
    (COMMON / f"{name}.{CLIENT}").touch()
    for _ in range(1200):
        if all((COMMON / f"{name}.{client}").exists() for client in (0, 1)):
            return
        time.sleep(0.05)
    raise TimeoutError(name)


def exchange() -> dict[str, Any]:
    """What this client reads in the file that the other one has closed, and what it lists."""
    (MOUNT / f"from-{CLIENT}").write_text(f"written by {CLIENT}")
    meet("written")
    other = (MOUNT / f"from-{1 - CLIENT}").read_text()
    listed = sorted(os.listdir(MOUNT))
    meet("read")
    return {"client": CLIENT, "other": other, "listed": listed, "host": os.uname().nodename}


def registers() -> str:
    """What the program of ``registers.c`` says, which the environment names."""
    return run(os.environ["AIBENCH_LAB_REGISTERS"])


_ALL = (mountinfo, bandwidth, latency, stopped, hung, stale, exchange, registers)
CHECKS = {check.__name__: check for check in _ALL}

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: CHECKS[name]() for name in sys.argv[1:]}) + "\n")
