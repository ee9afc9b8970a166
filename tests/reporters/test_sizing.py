"""What the measured bandwidth would serve, as reports tell it."""

import re
from dataclasses import replace
from typing import Any

import pytest

from aibench.model import CacheState, Operation, RunRecord, SyncPolicy
from aibench.reporters import html, markdown, sizing, terminal
from aibench.reporters.document import document
from tests import build

GB = 10**9


def run(read: int, write: int = 0, **changes: Any) -> RunRecord:
    """Six runs each of sequential reads and writes at these bytes per second."""
    reads = build.phase(name="seq-read", operation=Operation.READ_BLOCKS)
    writes = build.phase(name="seq-write", operation=Operation.WRITE_BLOCKS, sync=SyncPolicy.END)
    phases = [(reads, read), (writes, write)] if write else [(reads, read)]
    samples = [
        build.sample(
            n, workload="block", phase=phase.name,
            measurement=build.measurement(bytes=rate, series=None),
        )
        for phase, rate in phases for n in range(6)
    ]  # fmt: skip
    stage = build.stage(
        workload="block", kind="block", phases=tuple(phase for phase, _ in phases), repeats=6
    )
    return build.record(*samples, plan=build.plan(stage), **changes)


def part(record: RunRecord) -> dict[str, Any]:
    """The part on sizing of that record's document."""
    found = document(record, ())["sizing"]
    assert found is not None
    return dict(found)


def tiers(found: dict[str, Any]) -> dict[str, int]:
    """How often each tier fits."""
    return {row["id"]: row["times"] for row in found["tiers"]}


def test_a_mount_serves_what_both_of_its_rates_serve() -> None:
    """A tier fits as often as the direction allows that fits less often; exactly enough fits."""
    found = tiers(part(run(30 * GB, 12 * GB)))
    assert found["TIER-GOOD-SU"] == 1
    assert found["TIER-GOOD-NODE"] == 6
    assert found["TIER-BETTER-NODE"] == 3
    assert found["TIER-BEST-NODE"] == 0


def test_rates_are_divided_by_what_the_system_file_counts() -> None:
    """Each count of the system file, and the capacity of the mount, gives a column."""
    system = replace(
        build.system(), unit="chassis", units=2, nodes=4, drives=25, rack_units=10.0,
        power_watts=2000.0, price=50_000.0, currency="EUR",
    )  # fmt: skip
    target = replace(build.target(), total_bytes=10**14)
    found = part(run(40 * GB, 20 * GB, system=system, target=target))
    rates = {row["what"]: (row["read"]["value"], row["write"]["value"]) for row in found["per"]}
    assert rates == {
        "chassis": (20e9, 10e9), "node": (10e9, 5e9), "drive": (1.6e9, 0.8e9),
        "rack unit": (4e9, 2e9), "watt": (20e6, 10e6), "EUR": (800e3, 400e3),
        "TB": (400e6, 200e6),
    }  # fmt: skip


def test_accelerators_are_fed_by_formula() -> None:
    """3.2 GB/s feed one H100 that learns from medical images, and two A100 of the half each."""
    found = part(run(3_200_000_000))
    fed = {(row["preset"], row["accelerator"]): row["surely"] for row in found["feeds"]}
    assert fed["segmentation-3d", "h100"] == fed["segmentation-3d", "a100"] == 1
    assert fed["image-classification", "h100"] == 15
    assert found["write"] is None
    assert {row["missing"] for row in found["tiers"]} == {"write"}


@pytest.mark.parametrize("state", [CacheState.WARM, CacheState.UNKNOWN])
def test_what_may_be_a_cache_sizes_nothing(state: CacheState) -> None:
    """Reads that were not shown to come from the storage are left out."""
    record = run(30 * GB)
    warm = tuple(replace(s, evidence=build.evidence(state=state)) for s in record.samples)
    assert document(replace(record, samples=warm), ())["sizing"] is None


def test_other_runs_and_memory_size_nothing() -> None:
    """Without sequential rates, and on memory, the part is missing."""
    assert document(build.record(), ())["sizing"] is None
    memory = replace(build.target(), fstype="tmpfs")
    assert document(run(30 * GB, target=memory), ())["sizing"] is None


def test_all_formats_say_the_same() -> None:
    """Terminal, Markdown and HTML have the part with the same sentences."""
    derived = document(run(30 * GB, 12 * GB), ())
    told = list(sizing.lines(derived["sizing"]))
    assert told[0].startswith("large files: reads 30.0 GB/s [30.0, 30.0], writes 12.0 GB/s")
    assert any("tier Good" in line and "6 x node, 1 x scalable unit" in line for line in told)
    assert "no verdict" in " ".join(told)
    for text in (
        terminal.render(derived, width=250),
        markdown.render(derived),
        html.render(derived),
    ):
        assert "What it would serve" in text
        assert "6 x node, 1 x scalable unit" in text


def test_every_format_divides_by_what_the_system_file_counts() -> None:
    """A rate per rack unit is a row of the page's table and a line in the other formats."""
    system = replace(build.system(), rack_units=10.0)
    found = document(run(40 * GB, 20 * GB, system=system), ())
    for render in (terminal.render, markdown.render):
        text = " ".join(render(found, width=120).replace("\\", "").split())
        assert "per rack unit (10): reads 4.00 GB/s, writes 2.00 GB/s" in text
    page = html.render(found)
    table = page[page.index('<section id="units">') : page.index('<section id="results">')]
    row = re.sub(r"<[^>]*>", " ", table[table.index("rack unit") :]).split()
    assert row[:10] == ["rack", "unit", "10", "4.00", "GB/s", "3.73", "GiB/s", "2.00", "GB/s",
                        "1.86"]  # fmt: skip
    assert "per rack unit" not in page
    assert '<section id="units">' not in html.render(document(run(40 * GB), ()))
