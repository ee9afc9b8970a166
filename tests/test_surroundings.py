"""What is gathered around a phase counts what the storage had to deliver."""

import pytest

from aibench.model import Accelerators, Training
from aibench.surroundings import evaluated_bytes
from tests import build


@pytest.mark.parametrize(("read", "counted"), [(100, 500), (101, 2000)])
def test_what_evaluations_find_in_the_cache_is_not_missed(read: int, counted: int) -> None:
    """One of equal evaluations has to come from storage, all where training data are read again."""
    phase = build.phase(
        population=build.population(files=100), processes=1, threads=2,
        accelerators=Accelerators(count=1, loaders=2, compute_ns=1),
    )  # fmt: skip
    training = Training(batch=1, accelerators=(), evaluations=4, evaluated_bytes=2000)
    measured = build.measurement(operations=read, training=training)
    assert evaluated_bytes(phase, measured) == counted
    assert evaluated_bytes(phase, build.measurement(operations=read)) == 0
