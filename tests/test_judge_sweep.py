"""Claims on the record of a sweep: its levels are sizes that a claim on growth takes."""

from dataclasses import replace
from pathlib import Path

import pytest

from aibench.definition.claims import shipped_claims
from aibench.judge import judge
from aibench.model import Claim, RunRecord, Status
from tests import build
from tests.generators.test_sweep import TRAIN
from tests.planning import Files, plan
from tests.sweeping import MB, swept
from tests.test_judge import claim, codes, finding
from tests.test_judge_kinds import LINEAR, one, reading, training

WORKERS = replace(LINEAR, axis="workers", phases=(("block", "rand-read"),))


def shipped(name: str) -> Claim:
    """A shipped claim."""
    every = shipped_claims()
    return next(each for each in every if each.id == name)


def run(rate: object, **axes: object) -> RunRecord:
    """A sweep on the product that the claim is about."""
    return swept(axes, rate, system=build.system())  # type: ignore[arg-type]


def told(verdict: object) -> str:
    """All that the reasons say."""
    return " ".join(reason.message for reason in verdict.reasons)  # type: ignore[attr-defined]


@pytest.mark.parametrize("setting", ["workers", "jobs"])
def test_one_sweep_is_all_the_sizes_that_growth_takes(setting: str) -> None:
    """Growth over workers is decided by one record that swept them."""
    level = {setting: (1, 2, 4, 8)}
    assert one(WORKERS, run(lambda n: 100 * MB * n, **level)).status is Status.MET
    slow = one(WORKERS, run(lambda n: 100 * MB * n**0.5, **level))
    assert "up to N=8 workers: exponent 0.499 [0.494, 0.505]" in told(slow)
    assert (slow.status, codes(slow)[0]) == (Status.INCONCLUSIVE, "single_client")


def test_levels_of_something_else_are_no_sizes() -> None:
    """A sweep over block sizes has one number of workers, and shows no growth of them."""
    verdict = one(WORKERS, run(lambda b: 100 * MB * b, random_block=("4096", "65536", "1048576")))
    assert (verdict.status, codes(verdict)) == (Status.NOT_TESTABLE_HERE, ["level_not_tested"])
    assert "measured with 2 workers" in told(verdict)


def test_growth_is_never_read_across_another_setting() -> None:
    """In a grid the sizes of one block size are never mixed with those of another.

    The block size at which the claim holds decides, with intervals widened for that choice.
    """
    grid = {"jobs": (1, 2, 4, 8), "random_block": ("4096", "1048576")}
    verdict = one(WORKERS, run(lambda n, b: MB * (40 * n if b < 9999 else 2000 * n**0.3), **grid))
    assert verdict.status is Status.MET
    assert verdict.phase == "rand-read@jobs=8,random_block=4KiB"


def test_hosts_are_clients() -> None:
    """A sweep over hosts shows growth over clients, by the hosts that the samples came from."""
    made = run(lambda n: 100 * MB * n, hosts=(1, 2, 4))
    counts = {phase.name: phase.levels[0].value for phase in made.plan.stages[0].phases}
    samples = []
    for sample in made.samples:
        workers = tuple(
            replace(sample.measurement.workers[0], host=f"client{n}")
            for n in range(counts[sample.phase])
        )
        samples.append(replace(sample, measurement=replace(sample.measurement, workers=workers)))
    verdict = one(replace(WORKERS, axis="clients"), replace(made, samples=tuple(samples)))
    assert verdict.status is Status.MET
    assert "up to N=4 clients" in told(verdict)


def test_a_client_bound_smallest_level_meets_no_growth() -> None:
    """What held the smallest level up makes the others look better than they are."""
    made = run(lambda n: 100 * MB * n, workers=(1, 2, 4, 8))
    noted = [
        replace(s, warnings=(finding("nic_bound"),)) if s.phase.endswith("=1") else s
        for s in made.samples
    ]
    assert one(WORKERS, replace(made, samples=tuple(noted))).status is Status.INCONCLUSIVE


def test_the_shipped_claim_on_accelerators_takes_a_sweep(tmp_path: Path) -> None:
    """Inspur's 0.9 is decided by a run with --sweep accelerators=1,2,4,8, whatever its order."""
    planned = plan(Files(tmp_path)(TRAIN), sweeps=("accelerators=8,1,4,2",))
    described = build.system(vendor="Inspur", product="AIStation", unit="accelerator")
    about = shipped("IN-09")
    for busy, status in ((0.99, Status.MET), (0.6, Status.NOT_MET)):
        samples = [
            replace(training(n, share, repeat, steps=int(1000 * share)), workload="train")
            for n in (8, 1, 4, 2)
            for share in [busy if n == 8 else 0.99]
            for repeat in range(3)
        ]
        made = build.record(*samples, plan=planned, system=described)
        (verdict,) = judge(made, [about], None)
        assert verdict.status is status
        assert "up to N=8 accelerators" in told(verdict)


def test_a_claim_on_a_figure_is_tested_by_each_level() -> None:
    """The level that supports a figure best gives the verdict: the claim leaves the number open."""
    about = claim(interpretations=reading(8e8), phases=(("block", "rand-read"),))
    made = run(lambda n: 100 * MB * n, jobs=(1, 4, 10))
    verdict = one(about, made)
    assert verdict.phase == "rand-read@jobs=10"
    assert verdict.status is Status.MET
