"""The metrics of collecting, preprocessing and serving, what they cost, and what limits them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.insight import why
from aibench.metrics import metrics
from aibench.model import Environment, Measurement, Operation, Phase, Serving, Sizes, Transform
from aibench.pipeline import source_share
from tests import build
from tests.planning import Files, plan

KIND = """\
name = "mine"
title = "Mine"
imitates = "Something that surrounds training."
kind = "{kind}"
repeats = 2

[params]
workers = 2
{lines}
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A directory for workload files."""
    return Files(tmp_path)


def kind(name: str, *lines: str) -> str:
    """The text of a workload of a kind."""
    return KIND.format(kind=name, lines="\n".join(lines))


def names(phase: Phase, measured: Measurement) -> dict[str, Any]:
    """The values of all metrics, by name."""
    return {m.name: m.value for m in metrics(phase, build.sample(measurement=measured))}


def test_a_collection_without_a_source_has_no_source() -> None:
    """What is made in memory has no share of a source, and what is not compared no wrong bytes."""
    found = names(build.phase(operation=Operation.INGEST), build.measurement())
    assert not {"source_share", "source_bandwidth", "wrong_bytes"} & found.keys()
    assert source_share(build.measurement()) is None


def test_no_wrong_byte_is_a_figure_too() -> None:
    """Where all was compared and nothing was wrong, that is told as zero."""
    phase = build.phase(operation=Operation.COMPARE)
    assert names(phase, replace(build.measurement(), wrong_bytes=0))["wrong_bytes"] == 0


def test_what_took_no_time_has_no_rate() -> None:
    """A missing rate is missing, with the reason: never zero."""
    nothing = build.measurement(elapsed_ns=0, operations=0, bytes=0, histograms={})
    output = build.population(directory="scratch/made", persistent=False)
    made = Transform(output=output, cpu_ns=0, sample_bytes=9, samples_per_file=1)
    preprocess = build.phase(operation=Operation.PREPROCESS, transform=made)
    serving = Serving(hits=0.5, requests=((1, 1),))
    serve = build.phase(operation=Operation.SERVE_BLOCKS, serving=serving)
    for phase, missing in (
        (preprocess, ("output_bandwidth", "hundred_terabytes_time")),
        (serve, ("offload_bandwidth", "hit_share")),
    ):
        found = {m.name: m for m in metrics(phase, build.sample(measurement=nothing))}
        for name in missing:
            assert found[name].value is None
            assert found[name].why_missing


@pytest.mark.parametrize(("source", "limiter"), [(600, "source"), (400, "unknown")])
def test_a_slow_source_is_what_limited(source: int, limiter: str) -> None:
    """From half of the time on, the source is the answer to why it was not faster."""
    histograms = {"whole": build.histogram(1000), "source": build.histogram(source)}
    sample = build.sample(
        measurement=build.measurement(histograms=histograms, workers=()), ceiling=None
    )
    phase = build.phase(operation=Operation.INGEST, source="/elsewhere")
    assert why(phase, sample, build.target(), Environment()).limiter == limiter


def test_a_plan_counts_what_is_collected(files: Files) -> None:
    """Each repeat writes all and reads it back; the space is needed once."""
    text = kind("ingest", "files = 100", 'size = "1MiB"', 'sizes = "fixed"')
    made = plan(files(text))
    assert (made.write_bytes, made.read_bytes) == (200 * 2**20, 200 * 2**20)
    assert 100 * 2**20 < made.space_bytes < 102 * 2**20


def test_a_plan_counts_raw_data_and_shards(files: Files) -> None:
    """Raw data is written once and read in each repeat, shards are written in each."""
    text = kind("preprocess", "files = 64", 'size = "1MiB"', 'sizes = "fixed"', "ratio = 0.5")
    made = plan(files(text))
    assert made.write_bytes == 64 * 2**20 + 2 * 32 * 2**20
    assert made.read_bytes == 2 * 64 * 2**20
    assert made.space_bytes > 96 * 2**20


def test_a_plan_counts_blocks(files: Files) -> None:
    """A cache needs its space, and each worker holds one block beside its buffer."""
    text = kind("serve", 'part = "cache"', "blocks = 8", "tokens = 512", 'runtime = "2s"')
    made = plan(files(text))
    size = 512 * 131_072
    assert made.space_bytes >= 8 * size
    assert made.write_bytes > 2 * 8 * size
    assert made.memory_bytes >= 2 * size


def test_sizes_of_a_source_are_part_of_the_plan(files: Files, tmp_path: Path) -> None:
    """Other files in the source are another plan, as they are other work."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"12345")
    text = kind("ingest", f'source = "{source}"')
    before = plan(files(text))
    assert before.stages[0].measured[0].population.sizes == Sizes(
        distribution="listed", mean=5, smallest=5, largest=5, listed=((1, 5),)
    )
    (source / "b").write_bytes(b"1")
    assert plan(files(text)).digest != before.digest
