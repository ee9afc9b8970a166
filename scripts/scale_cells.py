"""The parts that `scale` measures, each at one size in a process of its own."""

import argparse
import io
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from aibench.crew.orders import Measure
from aibench.definition import library
from aibench.definition.claims import load_claims
from aibench.definition.workloads import find_workload
from aibench.engine import Site
from aibench.engines.harvest import Harvest, harvest, joined
from aibench.engines.null import NullEngine
from aibench.engines.pooled import collect
from aibench.judge import judge
from aibench.model import (
    CachePolicy,
    CacheState,
    Environment,
    Evidence,
    OnHost,
    Phase,
    Plan,
    RunRecord,
    Sample,
    Telemetry,
)
from aibench.planner import Options, make_plan
from aibench.probes import mounts
from aibench.probes.together import condensed, together
from aibench.reporters.document import document
from aibench.reporters.html import render as html
from aibench.reporters.terminal import render as terminal
from aibench.store import Writer, read
from aibench.units import format_size
from aibench.workers.job import Outcome
from aibench.workers.log import CAPACITY, Log
from aibench.workers.part import slots_of
from aibench.workers.share import dealt
from aibench.workspace import dataset
from aibench.world import Alone, Clock, Place
from aibench.world.gathering import Welcome
from aibench.world.world import spots

Found = dict[str, float]
Cell = Callable[[int, argparse.Namespace, str], Found]

_SEED, _FILE = 7, 114_660
#: What the telemetry of a client tells one by one.
_CORES = 32
#: Files that a worker reads in a second, as a network mount has it.
_RATE = 2000
#: Checkpoints are of no more ranks.
_MOST_RANKS = 1024
_PARTS = ("open", "stat", "read", "close")

size_text = format_size


class Fleet(Alone):
    """A world of many ranks, one on each host, as rank 0 sees its place in it; nobody is there."""

    def __init__(self, size: int) -> None:
        super().__init__("host-00000")
        self.place = Place(rank=0, hosts=tuple(f"host-{n:05d}" for n in range(size)))


def planned(directory: str, workload: str, fleet: int, *settings: str) -> Plan:
    """The plan of a shipped workload, in its largest suite, for so many hosts."""
    engines = {"null": NullEngine()}
    options = Options(
        name="scale", seed=_SEED, cpus=8, suite="full", engine="null", settings=settings,
        fleet=(1,) * fleet,
    )  # fmt: skip
    return make_plan((find_workload(workload),), options, engines, mounts.describe(directory))


def nothing(_size: int, _given: argparse.Namespace, _directory: str) -> Found:
    """A process that does nothing."""
    return {}


def files(size: int, given: argparse.Namespace, directory: str) -> Found:
    """A plan for so many files, what is missing of them, and the first batches of a loader."""
    begun = time.perf_counter()
    plan = planned(directory, "load-4k", 1, f"files={size}", f"workers={given.workers}")
    layout, phase = plan.stages[0].phases
    missing = dataset.state(None, phase.population).missing
    first = next(dealt(phase, _SEED, 0))
    assert len(first)
    seconds = time.perf_counter() - begun
    order = pickle.dumps((plan.digest, layout, missing))
    return {"order_bytes": len(order), "seconds": seconds}


def start(size: int, given: argparse.Namespace, directory: str) -> Found:
    """A plan for so many ranks, where each one is, and all that rank 0 tells them, together."""
    begun = time.perf_counter()
    place = Fleet(size).place
    plan = planned(directory, "load-4k", size, f"workers={given.workers}")
    phase = plan.stages[0].measured[0]
    own = slots_of(phase, replace(place, rank=size - 1))
    assert len(own) == given.workers
    seconds = time.perf_counter() - begun
    welcome = Welcome(list(spots(place.hosts))[-1], Clock(offset_ns=1, error_ns=1))
    resumed = planned(directory, "checkpoint-resume", size, f"new_data={min(size, _MOST_RANKS)}")
    orders = [Measure(engine="posix", phase=each, seed=1, looked=1)
              for each in (phase, resumed.stages[0].measured[0])]  # fmt: skip
    welcomes, load, resume = (len(pickle.dumps(each)) * size for each in (welcome, *orders))
    return {
        "seconds": seconds, "welcome_bytes": welcomes, "load_order_bytes": load,
        "resume_order_bytes": resume,
    }  # fmt: skip


def outcome(slot: int, seconds: int) -> Outcome:
    """What a worker wrote down that loaded files for so long."""
    log, random = Log(*_PARTS), np.random.default_rng(slot)
    operations, each = seconds * _RATE, 10**9 // _RATE
    for done in range(0, operations, CAPACITY):
        count = min(CAPACITY, operations - done)
        now = (done + np.arange(count, dtype=np.int64)) * each
        for number, stamps in enumerate(log.stamps):
            view = np.frombuffer(stamps, dtype=np.int64)[:count]
            view[:] = now
            now = now + random.lognormal(np.log(each / 8), 0.5, count).astype(np.int64)
            assert number <= len(_PARTS)
        log.flush(np.full(count, _FILE, dtype=np.int64), 0, 32)
    return Outcome(
        slot=slot, operations=operations, bytes=operations * _FILE, start_ns=0,
        end_ns=seconds * 10**9, timers={}, histograms=log.histograms(), intervals=log.intervals,
        user_ns=10**9, system_ns=10**9,
    )  # fmt: skip


def brought(given: argparse.Namespace, place: Place) -> Harvest:
    """What one rank brings home."""
    outcomes = [outcome(slot, given.seconds) for slot in range(given.workers)]
    return harvest(0, outcomes, None, place)


def of_rank(sent: bytes, rank: int, workers: int) -> Harvest:
    """The same as if another rank had sent it."""
    mine: Harvest = pickle.loads(sent)
    moved = tuple(replace(o, slot=rank * workers + o.slot) for o in mine.outcomes)
    return replace(mine, outcomes=moved)


def measured(size: int, given: argparse.Namespace, directory: str) -> tuple[Plan, Sample, Found]:
    """What rank 0 makes of what so many ranks send, all of which it has at once."""
    world = Fleet(size)
    sent = pickle.dumps(brought(given, world.place), protocol=pickle.HIGHEST_PROTOCOL)
    plan = planned(directory, "load-4k", size, f"workers={given.workers}")
    phase: Phase = replace(plan.stages[0].measured[0], cache=CachePolicy.WARM)
    site = Site(
        root=directory, target=mounts.describe(directory), seed=1, host="host-00000", world=world
    )
    begun = time.perf_counter()
    whole = joined([of_rank(sent, rank, given.workers) for rank in range(size)])
    found = collect(phase, site, whole.start_ns, whole.outcomes, whole.ranks)
    seconds = time.perf_counter() - begun
    sample = Sample(
        workload="load-4k", phase=phase.name, repeat=0, started_at="2026-11-21T12:00:00Z",
        measurement=found,
    )  # fmt: skip
    return plan, sample, {"sent_bytes": len(sent) * size, "seconds": seconds}


def gather(size: int, given: argparse.Namespace, directory: str) -> Found:
    """What so many ranks send of one phase, and one measurement made of it."""
    return measured(size, given, directory)[2]


def on_host(number: int, hosts: int, seconds: int) -> OnHost:
    """What one of so many hosts saw during a phase of so many seconds."""
    random = np.random.default_rng(number)
    ends = tuple((second + 1) * 10**9 for second in range(seconds))
    names = [f"cpu.core.{core}.busy_share" for core in range(_CORES)]
    names += [f"nic.eth0.{name}_rate" for name in ("in_bytes", "out_bytes", "in", "out", "drops")]
    series = {name: tuple(random.random(seconds).tolist()) for name in names}
    seen = Telemetry(ends_ns=ends, series=series, cost_ns=10**6, watched_ns=seconds * 10**9)
    asked = seconds * _RATE * _FILE
    cold = Evidence(
        state=CacheState.COLD, reason="as asked", asked_bytes=asked, resident_share=0.0,
        resident_files=64, files=64, resident_method="cachestat", delivered_bytes=asked,
        delivered_source="nfs", eviction="dropped",
    )  # fmt: skip
    return OnHost(
        host=f"host-{number:05d}", ranks=1, evidence=cold, telemetry=condensed(seen, hosts),
        boot=f"boot-{number}", device_id="0:40",
    )  # fmt: skip


def judged(record: RunRecord) -> None:
    """Hold a record against all shipped claims."""
    claims = tuple(claim for path in library.files("claims") for claim in load_claims(path))
    judge(record, claims, None)


def report(size: int, given: argparse.Namespace, directory: str) -> Found:
    """A record with one sample of so many ranks: written, read, told in two ways, and judged."""
    short = argparse.Namespace(**{**vars(given), "seconds": 2})
    plan, sample, _ = measured(size, short, directory)
    hosts = tuple(on_host(number, size, given.seconds) for number in range(size))
    begun = time.perf_counter()
    sample = replace(sample, hosts=hosts, evidence=together(hosts, CachePolicy.COLD))
    record = RunRecord(
        run_id="scale", started_at="2026-11-21T12:00:00Z", aibench_version="0", command=(),
        plan=plan, target=mounts.describe(directory), environment=Environment(key={}, metadata={}),
        engines={"null": "0"},
    )  # fmt: skip
    times = [begun, time.perf_counter()]
    writer = Writer(directory, record)
    writer.add(sample)
    writer.finish()
    times.append(time.perf_counter())
    again = read(writer.path)
    times.append(time.perf_counter())
    found = document(again, (), (), ())
    text = terminal(found)
    times.append(time.perf_counter())
    page = html(found)
    times.append(time.perf_counter())
    judged(again)
    times.append(time.perf_counter())
    names = ("evidence", "write", "read", "terminal", "page", "judge")
    taken = {f"{n}_seconds": b - a for n, (a, b) in zip(names, pairwise(times), strict=True)}
    sizes = {"record_bytes": os.path.getsize(writer.path), "text_bytes": len(text),
             "page_bytes": len(page)}  # fmt: skip
    return {**sizes, **taken}


def launch(size: int, given: argparse.Namespace, directory: str) -> Found:
    """Real ranks on this machine with no I/O behind them, one worker each."""
    hosts = os.path.join(directory, "hosts")
    with open(hosts, "w") as file:
        file.write(f"{os.uname().nodename} slots={size}\n")
    command = [
        given.mpirun, "-n", str(size), "--hostfile", hosts, "--bind-to", "none",
        sys.executable, "-m", "aibench", "run", directory, "-w", "metadata", "--engine", "null",
        "--repeats", "3", "--set", "workers=1", "--set", "files=20000", "--set", "directories=20",
        "--cache", "as-found", "--results", directory, "--json",
    ]  # fmt: skip
    if shutil.which(given.mpirun) is None:
        sys.exit(f"{given.mpirun} is not there: --mpirun PROGRAM")
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    records = [name for name in os.listdir(directory) if name.endswith(".jsonl")]
    if not records:
        sys.exit(io.StringIO(done.stderr).read()[-2000:])
    (name,) = records
    samples = read(os.path.join(directory, name)).samples
    spread = max(sample.measurement.start_spread_ns for sample in samples)
    workers = {len(sample.measurement.workers) for sample in samples}
    return {
        "seconds": seconds, "spread_of_starts_seconds": spread / 1e9,
        "record_bytes": os.path.getsize(os.path.join(directory, name)), "workers": max(workers),
    }  # fmt: skip


CELLS: dict[str, Cell] = {
    "nothing": nothing, "files": files, "start": start, "gather": gather, "report": report,
    "launch": launch,
}  # fmt: skip
