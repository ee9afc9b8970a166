"""Duels on real mounts of which a test knows which is faster, and by how much."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lab
from tests.integration.command import SMALL, Done, Stand
from tests.lab import Mounted
from tests.labs.ledger import laboratory
from tests.labs.mount import KINDS
from tests.labs.tools import unless

pytestmark = [pytest.mark.mounts, pytest.mark.slow(25), lab.requires_mounts]
RATE = 20_000_000
#: A bit more than a second at that rate; what the kernel lets an idle device off with is in it.
PHOTOS = (
    *("-w", "load-imagenet", "--set", "files=200", "--set", "workers=2", "--set", "batch=8"),
    *("--set", "sizes=fixed", "--pairs", "5", "--must-have", "read_bandwidth"),
)
#: The limit is what is compared, and a busy test machine does not hide it.
LIMITED = ("--accept", "io_limited", "--accept", "client_bound")


@contextlib.contextmanager
def two(first: str, second: str) -> Iterator[tuple[Mounted, Mounted]]:
    """Two filesystems, each on a device of its own."""
    with (
        laboratory() as ledger,
        lab.loop_mount(made(ledger.directory, "one"), first) as one,
        lab.loop_mount(made(ledger.directory, "other"), second) as other,
    ):
        yield one, other


def made(directory: Path, name: str) -> Path:
    """A new directory."""
    inner = directory / name
    inner.mkdir()
    return inner


@contextlib.contextmanager
def throttled(*rates: tuple[Mounted, int]) -> Iterator[None]:
    """This process and those it starts read so many bytes a second from each device."""
    version = 1 if lab._v1() else 2
    top = lab._V1 if version == 1 else lab._V2
    home = top / lab.own_group("blkio" if version == 1 else "").lstrip("/")
    if version == 2 and "io" not in lab._words(top / "cgroup.subtree_control"):
        (top / "cgroup.subtree_control").write_text("+io")
    lines = [
        line
        for device, rate in rates
        for line in lab._limits(version, device.device_id, rate, 0, 0)
    ]
    with lab.in_group(top, home, lines):
        yield


def rate_of(done: Done) -> dict[str, object]:
    """The answer about the read bandwidth."""
    figures = {figure["metric"]: figure["differences"][0] for figure in done.json["figures"]}
    found: dict[str, object] = figures["read_bandwidth"]
    return found


@pytest.mark.paced
@unless(lab.missing_throttle())
@pytest.mark.parametrize(("share", "is_found"), [(0.9, True), (0.99, False)])
def test_ten_percent_less_is_found_and_one_percent_is_not_claimed(
    tmp_path: Path, share: float, is_found: bool
) -> None:
    """A device held to 90 % of the other's rate is worse, by that much; one held to 99 % is not."""
    with two("ext4", "ext4") as (one, other):
        stand = Stand(tmp_path, one.path)
        question = ("duel", one.path, other.path, *PHOTOS)
        with throttled((one, RATE), (other, int(share * RATE))):
            done = stand.do(*question, *LIMITED, "--json")
    assert done.code in (0, 3), done.err
    found = rate_of(done)
    better = found["outcome"] in ("FIRST_BETTER", "SECOND_BETTER")
    assert better == is_found, f"{found}"
    if is_found:
        assert (done.code, found["outcome"]) == (0, "FIRST_BETTER")
        assert found["ratio"] == pytest.approx(1 / share, rel=0.04)


@pytest.mark.paced
@unless(lab.missing_throttle())
def test_a_limit_of_the_client_is_no_verdict_on_storage(tmp_path: Path) -> None:
    """Without --accept, devices that a control group holds back are not told apart by rate."""
    with two("ext4", "ext4") as (one, other), throttled((one, RATE), (other, RATE // 2)):
        stand = Stand(tmp_path, one.path)
        question = ("duel", one.path, other.path, *PHOTOS, "--pairs", "3")
        done = stand.do(*question, "--json", "--set", "files=60")
    assert done.code == 3, done.err
    found = rate_of(done)
    assert found["word"] == "inconclusive"
    assert "io_limited" in {reason["code"] for reason in found["reasons"]}  # type: ignore[attr-defined]


def test_ext4_against_xfs(tmp_path: Path) -> None:
    """A duel of two filesystems, reading and saving, ends with an answer or with the reason."""
    with two("ext4", "xfs") as (one, other):
        stand = Stand(tmp_path, one.path)
        done = stand.do(
            "duel", one.path, other.path, "--pairs", "3", "--json",
            "-w", "load-4k", "-w", "checkpoint-save",
            "--set", "files=2000", "--set", "workers=2", "--set", "ranks=2", "--set", "scale=1e-4",
        )  # fmt: skip
    assert done.code in (0, 3), done.err
    told = done.json
    assert [side["target"]["fstype"] for side in told["sides"]] == ["ext4", "xfs"]
    assert told["pairs"]["complete"] == 3
    assert {"load-4k", "checkpoint-save"} == {figure["workload"] for figure in told["figures"]}
    for figure in told["figures"]:
        (each,) = figure["differences"]
        assert each["low"] < each["ratio"] < each["high"]
        assert each["outcome"] != "INCONCLUSIVE" or each["reasons"]
    assert any("fstype: ext4 on a, xfs on b" in each["message"] for each in told["differs"])
    assert stand.left_running() == []


@unless(KINDS["sshfs"].missing())
def test_a_local_mount_against_one_over_a_network(tmp_path: Path) -> None:
    """What a network mount hides of its caches is told, and never makes it the better one."""
    with (
        laboratory() as ledger,
        lab.loop_mount(ledger.directory) as local,
        KINDS["sshfs"].up() as remote,
    ):
        stand = Stand(tmp_path, local.path)
        done = stand.do("duel", local.path, remote.path, *SMALL, "--pairs", "3", "--json")
    assert done.code in (0, 3), done.err
    told = done.json
    assert told["pairs"]["complete"] == 3
    assert {figure["state"] for figure in told["figures"]} == {"cold / unknown"}
    for figure in told["figures"]:
        assert figure["differences"][0]["outcome"] in ("FIRST_BETTER", "INCONCLUSIVE")
