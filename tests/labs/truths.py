"""Situations whose truth is known beforehand, and what a run says of them."""

import contextlib
import os
import subprocess
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from aibench.definition.claims import load_claims
from aibench.definition.system import load_system
from aibench.insight import why
from aibench.insight.facts import Facts, own_cpu_share
from aibench.insight.thresholds import MOST
from aibench.judge.absolute import decide
from aibench.judge.gates import gates
from aibench.judge.trials import Trial
from aibench.metrics import metrics
from aibench.model import READS, RunRecord, Sample, Status, Why
from tests import build
from tests.integration.command import Done, Stand, children

Process = subprocess.Popen[str]
DECODER = """
import os
import time

_readv = os.readv


def decoding(fd, buffers):
    count = _readv(fd, buffers)
    end = time.thread_time() + {seconds} if count else 0
    while time.thread_time() < end:
        sum(range(100))
    return count


os.readv = decoding
"""
"""Program that Python runs first: whatever is read is worked on for so long, as decoders do."""

CLAIM = """
[[claims]]
id = "LAB-01"
title = "Reading, one device"
vendor = "Laboratory"
product = "Loop"
quote = "10 GB/s"
source = "a test"
date = "today"
metric = "read_bandwidth"
direction = ">="
unit_as_printed = "GB/s"
unit = "B/s"
scope = "device"
unit_definition = "one block device"
phases = ["load/epoch"]
interpretations = [{values}]
"""
SYSTEM = """
vendor = "Laboratory"
product = "Loop"
unit = "device"
units = 1
"""


class Judged(NamedTuple):
    """How a run ended, its record, and the verdict on the one claim."""

    done: Done
    record: RunRecord
    status: str
    reasons: list[str]


def decoder(directory: Path, seconds: float) -> dict[str, str]:
    """The environment in which each read of a file costs so many seconds of CPU time."""
    place = directory / "decoder"
    place.mkdir()
    (place / "sitecustomize.py").write_text(DECODER.format(seconds=seconds))
    return {"PYTHONPATH": str(place)}


def claim_files(directory: Path, **values: str) -> tuple[str, ...]:
    """Arguments that judge a claim of 10 GB/s, or of values by name, for one device of the lab."""
    values = values or {"read": "10GB/s"}
    told = ", ".join(f'{{ id = "{name}", value = "{value}" }}' for name, value in values.items())
    claim, system = directory / "claim.toml", directory / "system.toml"
    claim.write_text(CLAIM.replace("{values}", told))
    system.write_text(SYSTEM)
    return ("--claims", str(claim), "--system", str(system), "--json")


def judged(stand: Stand, process: Process, limit_s: float) -> Judged:
    """The end of a run with `claim_files`; it is killed where it takes too long."""
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    done = Done(process.returncode, out, err)
    assert done.code in (0, 1, 3), done.err
    (verdict,) = done.json["verdicts"]
    reasons = [reason["code"] for reason in verdict["reasons"]]
    return Judged(done, stand.record(), verdict["status"], reasons)


def decided(record: RunRecord, directory: Path, codes: Collection[str]) -> Status:
    """What the claim of `claim_files` would come to if only the gates with these codes closed."""
    (claim,), system = load_claims(directory / "claim.toml"), load_system(directory / "system.toml")
    samples = read_samples(record)
    phase = record.phase(samples[0])
    closed = gates(record, phase, samples, claim)
    trial = Trial(
        workload=samples[0].workload,
        phase=phase,
        values=tuple(map(rate, samples)),
        unit=claim.unit,
        better="higher",
        record=replace(record, system=system),
        stage=record.stage(samples[0].workload),
        counted=tuple(samples),
        closed=tuple(gate for gate in closed if gate.finding.code in codes),
    )
    return decide(claim, claim.interpretations[0], trial).status


def read_samples(record: RunRecord) -> list[Sample]:
    """The samples of phases that read."""
    return [s for s in record.samples if record.phase(s).operation in READS]


def rate(sample: Sample) -> float:
    """Bytes per second, from the first start to the last end."""
    return sample.measurement.bytes / sample.measurement.elapsed_ns * 1e9


def median_ns(sample: Sample, kind: str) -> float:
    """The median latency of one kind of call, as reports have it."""
    found = {each.name: each.value for each in metrics(build.phase(), sample)}
    value = found[f"{kind}_p50"]
    assert value is not None
    return value


def limiter(record: RunRecord, sample: Sample) -> Why:
    """What limited a sample, as a report says it."""
    return why(record.phase(sample), sample, record.target, record.environment)


def told(stand: Stand, *words: str | Path) -> Why:
    """What limited the one read phase of a run.

    Where others took the processors of this machine that is all there is to say, and it is asked
    again; after three times the test skips.
    """
    for _ in range(3):
        done = stand.run(*words)
        assert done.code == 0, done.err
        record = stand.record()
        (sample,) = read_samples(record)
        found = limiter(record, sample)
        own = own_cpu_share(facts(record, sample))
        if found.limiter != "client_cpu" or own is None or own > MOST:
            return found
    pytest.skip(f"something else takes this machine's processors: {found.sentence}")


def facts(record: RunRecord, sample: Sample) -> Facts:
    """A sample with what it was measured on."""
    return Facts(
        phase=record.phase(sample),
        sample=sample,
        target=record.target,
        environment=record.environment,
    )


def warned(record: RunRecord) -> set[str]:
    """The codes of all samples' warnings."""
    return {warning.code for sample in record.samples for warning in sample.warnings}


@contextlib.contextmanager
def ended(*processes: Process) -> Iterator[None]:
    """None of these processes goes on after this."""
    try:
        yield
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=60)


class Look(NamedTuple):
    """A process at a moment: bytes of memory, open descriptors, threads; its children's bytes."""

    resident: int
    descriptors: int
    threads: int
    workers: tuple[int, ...]


def looks(process: Process, every_s: float = 0.2) -> list[Look]:
    """The process that a command watches, again and again until the command ends."""
    found = []
    while process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            (runner,) = children(process.pid)
            opened, threads = (len(os.listdir(f"/proc/{runner}/{of}")) for of in ("fd", "task"))
            below = tuple(_resident(worker) for worker in children(runner))
            found.append(Look(_resident(runner), opened, threads, below))
        time.sleep(every_s)
    return found


def _resident(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
