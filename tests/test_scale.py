"""`scripts/scale`: what ranks and files cost on paper, and that nothing lists files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCALE = Path(__file__).parent.parent / "scripts" / "scale"
ROW = re.compile(r"^ +([\d,]+): (.*)$", re.MULTILINE)


def scale(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run([sys.executable, str(SCALE), *arguments], text=True, check=False,
                          capture_output=True, stdin=subprocess.DEVNULL)  # fmt: skip


def figure(row: str, name: str) -> float:
    """A figure of a row, in bytes or seconds."""
    match = re.search(rf"{name} ([\d.e+-]+)( [kMG]?B| s)?", row)
    assert match is not None, row
    unit = (match[2] or "").strip()
    return float(match[1]) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}.get(unit, 1.0)


@pytest.mark.slow
def test_a_billion_files_cost_what_a_thousand_do() -> None:
    """A plan, what is missing of its data and a loader's first batch never list the files."""
    done = scale("files", "--files", "1000,1000000000")
    assert done.returncode == 0, done.stderr
    few, many = (row for _, row in ROW.findall(done.stdout))
    assert figure(many, "order bytes") < 1.1 * figure(few, "order bytes")
    assert figure(many, "peak bytes") < figure(few, "peak bytes") + 50e6


@pytest.mark.slow
def test_what_ranks_send_is_in_proportion() -> None:
    """What is gathered and recorded of ranks grows with their number and not faster."""
    done = scale("start", "gather", "report", "--ranks=2,8", "--workers=2", "--seconds=1")
    assert done.returncode == 0, done.stderr
    rows = [row for _, row in ROW.findall(done.stdout)]
    assert len(rows) == 6
    few, many = (figure(row, "sent bytes") for row in rows[2:4])
    assert many == pytest.approx(4 * few, rel=0.1)
    assert figure(rows[5], "record bytes") < 4 * figure(rows[4], "record bytes")


def test_parts_are_named() -> None:
    """The help names every part, and another one is refused with all of them."""
    told = scale("--help").stdout
    assert all(f"{part} (" in told for part in ("files", "start", "gather", "report", "launch"))
    done = scale("everything")
    assert done.returncode == 2
    assert "no part everything; known: files, start, gather, report, launch" in done.stderr
