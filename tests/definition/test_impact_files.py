"""Files with inputs of a projection: what they mean, and every mistake at once."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as holds
from hypothesis import strategies as st

from aibench.cluster import compared
from aibench.cluster.inputs import FAILURES
from aibench.definition.impact import impact_inputs, read_impact
from aibench.errors import DefinitionError

SIZES = {"405b": 5_680_000_000_000}
WHOLE = """\
[cluster]
nodes = [125, 500, 1250]
failures_per_node_day = "rsc-2"
fixed_restart = ["5min", "10min", "20min"]
fan_out = 2
step_utilisation = 0.4
scheduling = 0.98
useful_time = "30d"
[checkpoint]
model = "405b"
[baseline]
write = "20GB/s"
read = ["20GB/s", "25GB/s", "30GB/s"]
load = "10min"
utilisation = [0.9, 0.95, 0.97]
interval = "3h"
extra_restart = "30min"
[candidate]
faster = 4
load_faster = 8
snapshot = "10s"
"""


def inputs(text: str, folder: Path) -> dict[str, Any]:
    """The inputs of a file with ``text``."""
    path = folder / "impact.toml"
    path.write_text(text)
    return dict(impact_inputs(*read_impact(path)[:1], "impact.toml", text, SIZES))


def test_a_whole_file(tmp_path: Path) -> None:
    """Each key becomes an input in seconds, bytes and shares, with its range and its source."""
    found = inputs(WHOLE, tmp_path)
    assert found["nodes"].range.high == 1250
    assert found["failures_per_node_day"].range.typical == 2.34e-3
    assert "rsc-2" in found["failures_per_node_day"].source
    assert found["fixed_restart"].range.low == 300
    assert found["useful_time"].range.typical == 30 * 86400
    assert found["checkpoint_bytes"].range.typical == SIZES["405b"]
    assert "405b" in found["checkpoint_bytes"].source
    assert found["baseline_write"].range.typical == 20e9
    assert found["baseline_read"].range.high == 30e9
    assert found["baseline_interval"].range.typical == 10800
    assert found["candidate_snapshot"].range.typical == 10
    assert (found["faster"].range.typical, found["load_faster"].range.typical) == (4, 8)
    assert {each.origin for each in found.values()} == {"assumed"}
    assert found["nodes"].source == "given in impact.toml"


def test_presets_of_failures() -> None:
    """Each preset is a rate per node and day that names who counted it."""
    assert FAILURES["rsc-1"].range.typical == 6.5e-3
    assert FAILURES["mlcommons"].range.typical == pytest.approx(3.84e-3)
    assert all("preset" in preset.source for preset in FAILURES.values())


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """Wrong values are all named, with line, key, and what would be right."""
    text = """\
size = 5
[cluster]
nodes = 0
mtbf = "-3h"
fixed_restart = 600
scheduling = 1.5
fan_out = nan
[checkpoint]
parameters = [1, 2]
[baseline]
write = "0GB/s"
load = "5 parsecs"
utilisation = [0.9, 0.8, 0.7]
[candidate]
faster = inf
speed = 3
"""
    with pytest.raises(DefinitionError) as error:
        inputs(text, tmp_path)
    told = "\n".join(error.value.mistakes)
    for place, word in (
        ("impact.toml:1: size", "unknown key"),
        ("impact.toml:3: cluster.nodes", "from 1"),
        ("impact.toml:4: cluster.mtbf", "not a time"),
        ("impact.toml:5: cluster.fixed_restart", "needs a unit"),
        ("impact.toml:6: cluster.scheduling", "at most 1"),
        ("impact.toml:7: cluster.fan_out", "above 0"),
        ("impact.toml:9: checkpoint.parameters", "three values"),
        ("impact.toml:11: baseline.write", "above 0"),
        ("impact.toml:12: baseline.load", "no unit 'parsecs'"),
        ("impact.toml:13: baseline.utilisation", "go up"),
        ("impact.toml:15: candidate.faster", "at most"),
        ("impact.toml:16: candidate.speed", "unknown key"),
    ):
        line = next((line for line in error.value.mistakes if line.startswith(place)), told)
        assert word in line, line


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[cluster]\nmtbf = "3h"\nfailures_per_node_day = 0.01', "not both"),
        ('[checkpoint]\nbytes = "1TB"\nparameters = 1e12', "one of"),
        ('[checkpoint]\nmodel = "9b"', "no model '9b'; known: 405b"),
        ('[candidate]\nfaster = 2\nwrite = "1GB/s"', "leave write and read out"),
        ('[candidate]\nfaster = 2\nload_faster = 2\nload = "1s"', "not both"),
        ('[cluster]\nfailures_per_node_day = "rsc-9"', "rsc-1, rsc-2, mlcommons"),
        ("[cluster]\nnodes = true", "number"),
        ('[cluster]\nnodes = "' + "9" * 5000 + '"', "at most"),
        ("cluster = 3", "cluster"),
    ],
)  # fmt: skip
def test_what_can_not_be_together(text: str, word: str, tmp_path: Path) -> None:
    """The same thing said twice, and values that are none, are refused with what would be right."""
    with pytest.raises(DefinitionError, match=word):
        inputs(text, tmp_path)


def test_the_example() -> None:
    """The example that comes with aibench is a valid one, which gives the published gain."""
    path = Path(__file__).parents[2] / "results/examples/impact.toml"
    data, text = read_impact(path)
    found = impact_inputs(data, str(path), text, SIZES)
    values = {name: each.range.typical for name, each in found.items()}
    del values["useful_time"], values["baseline_utilisation"], values["candidate_utilisation"]
    assert compared(values).gain == pytest.approx(1.347, abs=5e-4)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["1h", "20GB/s", "1e999", "-1", "nan", "5TB", "rsc-1", "0s", "10 000 000 TB"]),
)  # fmt: skip
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=4), st.just(10**400), st.just([[1], 2, 3]))
KEYS = st.sampled_from(
    ["nodes", "mtbf", "failures_per_node_day", "fixed_restart", "write", "load", "utilisation",
     "faster", "parameters", "bytes", "model", "snapshot", "moon"]
)  # fmt: skip
TABLES = st.sampled_from(["cluster", "checkpoint", "baseline", "candidate"])


@holds(data=st.dictionaries(TABLES, st.dictionaries(KEYS, VALUES)))
def test_any_table_is_read_or_refused(data: dict[str, Any]) -> None:
    """Whatever values a file has, they become finite ranges, or mistakes to be shown."""
    found: dict[str, Any] = {}
    try:
        found = impact_inputs(data, "impact.toml", "", SIZES)
    except DefinitionError as error:
        told = error.mistakes
    else:
        told = ()
    assert all(line.isprintable() and len(line) < 400 for line in told)
    for each in found.values():
        assert 0 <= each.range.low <= each.range.typical <= each.range.high < math.inf
