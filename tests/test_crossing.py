"""What was written over one filesystem is read over another one, and nothing else is."""

from dataclasses import replace

import pytest

from aibench.crossing import comparable, crossing
from aibench.errors import Refused
from aibench.model import CachePolicy, Operation
from aibench.workspace.dataset import Found
from tests.build import population

WHOLE = Found(directory="data/demo", population=population(), complete=True, through="nfs4")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (replace(WHOLE, population=None), "manifest.json is missing"),
        (replace(WHOLE, complete=False), "never written to its end"),
        (replace(WHOLE, population=population(format="tfrecord")), "packed (tfrecord)"),
        (replace(WHOLE, through=""), "is not known"),
        (replace(WHOLE, through="cifs"), "was written over cifs, not over nfs4"),
    ],
)
def test_others_are_left_out(found: Found, why: str) -> None:
    """Data that is not whole, plain, or known to be written that way is named with the reason."""
    good, left = comparable([found, WHOLE], "nfs4")
    assert good == [WHOLE]
    assert len(left) == 1
    assert left[0].startswith("data/demo: ")
    assert why in left[0]


def test_plan() -> None:
    """Each data set is a stage that reads all of it cold, as often as asked; nothing is written."""
    other = population(directory="data/other", files=1)
    plan = crossing([WHOLE, replace(WHOLE, population=other)], repeats=3, cpus=4)
    first, second = plan.stages
    assert (first.workload, first.kind, first.repeats) == ("verify-demo", "ingest", 3)
    (phase,) = first.measured
    assert (phase.name, phase.operation, phase.cache) == (
        "verify", Operation.COMPARE, CachePolicy.COLD,
    )  # fmt: skip
    assert (phase.processes, second.measured[0].processes) == (4, 1)
    assert (plan.read_bytes, plan.write_bytes, plan.space_bytes) == (3 * 101 * 4096, 0, 0)
    with pytest.raises(Refused, match="no data set"):
        crossing([], repeats=3, cpus=4)
