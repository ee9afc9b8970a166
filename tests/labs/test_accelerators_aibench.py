"""On a device that delivers so much a second, accelerators are as busy as the closed form says."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aibench.capacity import capacity, judged, levels_at_most, next_level
from aibench.formats.files import all_paths_of
from aibench.model import Accelerators, Measurement, Order, Phase, Population, Sample, Sizes
from aibench.probes.cache import evict
from aibench.training import utilisation
from tests import build, lab
from tests.engines import files
from tests.lab import MIB, Mounted
from tests.labs.ledger import laboratory
from tests.labs.tools import unless

pytestmark = [
    pytest.mark.mounts,
    pytest.mark.slow,
    pytest.mark.paced,
    unless(lab.missing_throttle()),
]
RATE, SECOND = 40_000_000, 10**9
#: Bytes of a step of all accelerators: more than what the kernel lets an idle device off with.
STEP, STEPS = 8 * 10**6, 15
DATA = build.population(
    files=STEP * STEPS // 10**6, sizes=Sizes(distribution="fixed", mean=10**6), directory="data"
)


@pytest.fixture(scope="module")
def device() -> Iterator[Mounted]:
    """A filesystem with the data, not limited yet."""
    with (
        laboratory() as ledger,
        lab.loop_mount(ledger.directory, size=256 * MIB) as mounted,
    ):
        files.write(mounted.path, DATA)
        yield mounted


def cold(root: Path, population: Population) -> None:
    """Have the page cache let go of the data."""
    names = (path for index in range(population.files) for path in all_paths_of(population, index))
    fd = os.open(root / population.directory, os.O_RDONLY)
    try:
        evict(fd, names, allow_drop=False)
    finally:
        os.close(fd)


def throttled(device: Mounted, phase: Phase) -> Measurement:
    """What is measured when nothing is cached and the device delivers `RATE`."""
    cold(device.path, DATA)
    with lab.throttle(device, read_bps=RATE):
        return files.run(phase, device.path)


def test_a_search_finds_what_the_device_can_feed(device: Mounted) -> None:
    """Accelerators that take 11 MB/s each at full rate are at a bar of 0.9 up to BW / (0.9 × D)."""
    demand, batch = 11_000_000, 10**6
    phases = {}
    for count in range(1, 9):
        asked = Accelerators(
            count=count, loaders=1, compute_ns=batch * SECOND // demand, steps=max(48 // count, 3),
            distribution="fixed", searched=levels_at_most(8),
        )  # fmt: skip
        phases[count] = build.phase(
            name=f"accelerators-{count}", population=DATA, reader="lean", order=Order.SHUFFLED,
            processes=1, threads=asked.seats, accelerators=asked,
        )  # fmt: skip
    stage = build.stage(phases=tuple(phases.values()), repeats=1)
    samples: list[Sample] = []
    while (phase := next_level(stage, samples)) is not None:
        measured = throttled(device, phase)
        samples.append(
            build.sample(workload=stage.workload, phase=phase.name, measurement=measured)
        )
    found = capacity({int(s.phase.rpartition("-")[2]): judged(phases[1], [s]) for s in samples})
    assert abs(found.fed - int(RATE / (0.9 * demand))) <= 1


@pytest.mark.parametrize(
    ("count", "loaders", "barrier", "supply"),
    [
        (1, 1, True, 0.4), (1, 2, True, 1.6), (2, 1, True, 0.7), (2, 1, False, 0.5),
        (4, 1, True, 0.85), (4, 1, True, 1.3), (8, 1, True, 0.6),
    ],
)  # fmt: skip
def test_utilisation_on_a_known_device(
    device: Mounted, count: int, loaders: int, barrier: bool, supply: float
) -> None:
    """Of n accelerators that take D bytes a second each, it is min(1, BW / (n × D))."""
    batch = STEP // count // 10**6
    compute = round(supply * STEP / RATE * 1e9)
    asked = Accelerators(count=count, loaders=loaders, compute_ns=compute, barrier=barrier)
    phase = build.phase(
        population=DATA, reader="lean", order=Order.SHUFFLED, batch=batch, processes=1,
        threads=asked.seats, accelerators=asked,
    )  # fmt: skip
    measured = throttled(device, phase)
    training = measured.training
    assert training is not None
    assert [each.steps for each in training.accelerators] == [STEPS] * count
    assert measured.bytes == STEP * STEPS
    found = utilisation(training)
    assert found == pytest.approx(min(1, supply), abs=0.03)
