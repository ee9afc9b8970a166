"""What is written over one protocol is read over another one, and a verdict says what came out."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lab
from tests.integration.command import SMALL, Stand
from tests.lab import MIB
from tests.labs import faults
from tests.labs.faults import mount
from tests.labs.ledger import laboratory
from tests.labs.tools import unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow, unless(faults.missing())]
SYSTEM = """
vendor = "Huawei"
product = "OceanStor A"
unit = "array"
units = 1
"""


@contextlib.contextmanager
def two_protocols() -> Iterator[tuple[Path, Path]]:
    """An ext4 as its server sees it, and the same directory through a process (FUSE)."""
    with laboratory() as ledger:
        inner = ledger.directory / "source"
        with lab.loop_mount(ledger.directory, size=128 * MIB, at=ledger.directory) as ext4:
            inner.symlink_to(ext4.path)
            yield ext4.path, mount(ledger, "served").path


def test_bytes_over_two_protocols(tmp_path: Path) -> None:
    """Data that a run wrote through ext4 comes back through FUSE: met for the product, else a
    reference; a byte that was changed meanwhile refutes it. No record is kept of what is one
    protocol, or was not written over the one that is named.
    """
    described = tmp_path / "system.toml"
    described.write_text(SYSTEM)
    with two_protocols() as (direct, served):
        stand = Stand(tmp_path, direct)
        other = Stand(tmp_path, served)
        assert stand.run(*SMALL, "--repeats", "1").code in (0, 3)
        through = ("--written-through", direct)

        done = other.do("verify", served, *through, "--system", described, "--json")
        assert done.code == 0, done.err
        (one,) = done.json["data"]
        assert (one["files"], one["times"], one["wrong_bytes"]) == (500, 3, 0)
        record = stand.record()
        assert (record.labels, record.target.fstype) == (
            {"written_through": "ext4"}, "fuse.faultfs",
        )  # fmt: skip
        assert verdict(stand, "HX-14") == ("MET", "bytes_compared")

        assert other.do("verify", served, *through).code == 0
        assert verdict(stand, "HX-14")[0] == "REFERENCE_ONLY"

        back = other.do("verify", direct, "--written-through", served)
        assert (back.code, "was written over ext4, not over fuse.faultfs" in back.err) == (2, True)
        same = other.do("verify", direct, *through)
        assert (same.code, "are both ext4" in same.err) == (2, True)
        assert len(stand.paths()) == 3

        path = next((direct / "aibench-data" / "data").glob("*/d000000/*"))
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
        wrong = other.do("verify", served, *through, "--system", described)
        assert (wrong.code, wrong.out.startswith("WRONG")) == (1, True), wrong.err
        assert "1 byte in 1 file wrong, of 500 files" in wrong.out
        named = other.do("verify", served)
        assert (named.code, f"{path.name}: the byte at offset 0 is wrong" in named.out) == (1, True)
        assert verdict(stand, "HX-14") == ("NOT_MET", "wrong_bytes")
        assert stand.left_running() == []


def test_two_directories_are_not_one(tmp_path: Path) -> None:
    """Two mounts that show different data are refused, whatever their types."""
    with two_protocols() as (direct, served):
        elsewhere = Stand(tmp_path)
        assert elsewhere.run(*SMALL, "--set", "files=20").code in (0, 3)
        assert Stand(tmp_path, direct).run(*SMALL, "--set", "files=20").code in (0, 3)
        done = elsewhere.do("verify", served, "--written-through", elsewhere.target)
        assert (done.code, "do not show the same data" in done.err) == (2, True), done.err


def verdict(stand: Stand, claim: str) -> tuple[str, str]:
    """(status, first reason) of a claim by the last record."""
    done = stand.ask("judge", "last", "--claims", claim, "--json")
    (found,) = json.loads(done.out)["verdicts"]
    return found["status"], found["reasons"][0]["code"]
