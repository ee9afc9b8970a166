"""What the kernel prints is read as far as it is as expected: no text makes a parser fail."""

import math
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aibench.probes import (
    activity,
    counters,
    devices,
    environment,
    layers,
    mounts,
    resources,
    sysfs,
)

WORDS = st.sampled_from(
    (
        *(b"0", b"1", b"7", b"-1", b"1.5", b"nan", b"inf", b"1e999", b"9" * 20, b"9" * 5000),
        *("²".encode(), "٣".encode(), b"1_000", b"0x10", b"\xff", b"\\040", b"\\777", b"\\", b"-"),
        *(b"kB", b"max", b"/", b"/mnt", b"rw", b"ext4", b"cgroup2", b"8:1", b"cpu", b"cpu0", b":"),
        *(b"MemTotal:", b"MemAvailable:", b"Tcp:", b"RetransSegs", b"total=5", b"some", b"full"),
        *(b"eth0:", b"READ:", b"xprt:", b"tcp", b"per-op", b"bytes:", b"device", b"mounted", b"on"),
    )
)
LINES = st.lists(st.lists(WORDS, max_size=14).map(b" ".join), max_size=12).map(b"\n".join)
TEXTS = LINES | st.binary(max_size=300)
KINDS = {name: kind for name, kind in vars(counters).items() if isinstance(kind, counters.Kind)}
IN_TMP = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(TEXTS)
def test_any_mountinfo(text: bytes) -> None:
    """Mounts are those lines that are as the kernel writes them; others are left out."""
    for mount in mounts.parse(text):
        assert mount.mount_id >= 0
        assert mount.fstype is not None
        mounts.server_of(mount.fstype, mount.source)


@given(st.binary(max_size=40), st.binary(max_size=60))
def test_a_mount_with_odd_names_is_found(point: bytes, source: bytes) -> None:
    """Whatever bytes a mount point and a source have, they are found as they are."""
    escaped = [
        b"".join(b"\\%03o" % byte if byte <= 32 or byte == 92 else bytes([byte]) for byte in name)
        for name in (b"/" + point, source)
    ]
    line = b"30 27 8:17 / %s rw - ext4 %s rw" % tuple(escaped)
    (mount,) = mounts.parse(line)
    assert mount.point.encode("utf-8", "surrogateescape") == b"/" + point
    assert mount.source.encode("utf-8", "surrogateescape") == source


@pytest.mark.parametrize("name", sorted(KINDS))
@settings(max_examples=80)
@given(st.lists(TEXTS, min_size=2, max_size=4), st.integers(0, 2**62))
def test_any_counters(name: str, texts: list[bytes], step: int) -> None:
    """Series of any texts are finite where they are known, and shares lie between 0 and 1."""
    times = [place * step for place in range(len(texts))]
    for key, values in counters.series(KINDS[name], texts, times).items():
        known = [value for value in values if value is not None]
        assert len(values) == len(texts) - 1
        assert all(math.isfinite(value) for value in known)
        if key.endswith("_share"):
            assert all(0 <= value <= 1 for value in known)


PLACES = (
    "proc/meminfo", "proc/self/cgroup", "proc/self/mountinfo", "proc/uptime", "proc/loadavg",
    "proc/cpuinfo", "proc/sys/vm/dirty_ratio", "proc/pressure/io", "etc/os-release",
    "sys/fs/cgroup/memory.max", "sys/fs/cgroup/cpu.max", "proc/stat", "proc/net/dev",
)  # fmt: skip


@IN_TMP
@given(data=st.data())
def test_any_machine_is_described(tmp_path: Path, data: st.DataObject) -> None:
    """The client is described whatever its files hold, in numbers that a record can keep."""
    for place in data.draw(st.lists(st.sampled_from(PLACES), max_size=4, unique=True)):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.draw(TEXTS))
    root = str(tmp_path)
    facts = {**environment.key(root), **environment.metadata("0", root)}
    assert min(activity._ticks(root)) >= 0
    assert all(math.isfinite(f) for f in facts.values() if isinstance(f, int | float))
    assert resources.available_memory(root) >= 0
    assert resources.usable_cpus(root) >= 1


@IN_TMP
@given(TEXTS)
def test_any_small_file(tmp_path: Path, text: bytes) -> None:
    """Small files of numbers give whole numbers or nothing."""
    path = tmp_path / "file"
    path.write_bytes(text)
    for read in (sysfs.integer, sysfs.fields, sysfs.chosen, partial(sysfs.text)):
        read(str(path))


@IN_TMP
@given(TEXTS)
def test_any_block_device(tmp_path: Path, text: bytes) -> None:
    """The statistics of a device are bytes, or not known."""
    place = tmp_path / "class/block/sda"
    place.mkdir(parents=True, exist_ok=True)
    (place / "stat").write_bytes(text)
    found = devices.traffic("sda", str(tmp_path))
    assert found is None or min(found) >= 0


@IN_TMP
@given(TEXTS)
def test_any_mountstats(tmp_path: Path, text: bytes) -> None:
    """What an NFS mount moved is a number of bytes, or not known."""
    path = tmp_path / "proc/self/mountstats"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"device nas:/x mounted on /mnt with fstype nfs4 statvers=1.1\n" + text)
    found = layers.nfs_traffic("/mnt", str(tmp_path))
    assert found is None or min(found) >= 0
