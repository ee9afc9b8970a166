"""Which results belong to one series follows from their records alone, old ones too."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.identity import Identity, harness_version, identity, normalised
from aibench.model import Environment, HostOf, RunRecord, Transform
from aibench.store import read
from tests import build

_DATA = Path(__file__).parent / "data"
KEY = {
    "cpu": "Example CPU", "sockets": 2, "cores": 64, "memory_gib": 512, "numa_nodes": 2,
    "kernel": "6.18", "nic": "mlx5_core 15b3:101d 100000 Mbit/s",
}  # fmt: skip
OPTIONS = ("rw", "relatime", "vers=4.2", "rsize=1048576", "addr=192.0.2.7", "clientaddr=192.0.2.1")
NFS: dict[str, Any] = {
    "fstype": "nfs4", "source": "nas:/x", "server": "nas", "label": "/mnt/data", "device": None,
    "options": OPTIONS,
}  # fmt: skip


def of(record: RunRecord) -> Identity:
    """What the first phase of ``record`` belongs to."""
    stage = record.plan.stages[0]
    return identity(record, stage, stage.measured[0])


def run(**changes: Any) -> RunRecord:
    """A run on an NFS mount by a client that is wholly described."""
    parts = {
        "environment": Environment(key=KEY, metadata={"hostname": "a", "uptime_s": 1.0}),
        "target": build.target(**NFS),
        "system": build.system(version="1.0"),
    }
    return build.record(**parts | changes)


def differing(one: RunRecord, other: RunRecord) -> list[str]:
    """The names of the keys in which two runs differ."""
    first, second = of(one), of(other)
    return [name for name in first.__slots__ if getattr(first, name) != getattr(second, name)]


def test_equal_runs_are_one_series() -> None:
    """A run differs in no key from itself, and its series is a SHA-256."""
    assert differing(run(), run()) == []
    assert of(run()).series == of(run()).series
    assert len(of(run()).series) == 64


@pytest.mark.parametrize("name", KEY)
def test_client_key(name: str) -> None:
    """Each part of the client's key makes another client, and another series."""
    other = run(environment=Environment(key={**KEY, name: "other"}))
    assert differing(run(), other) == ["client"]
    assert of(run()).series != of(other).series


def test_number_of_hosts() -> None:
    """More hosts are another client; how many ranks each has is not, nor is MPI on one host."""
    two = build.launch()
    more = HostOf(name="n2", ranks=2)
    named = [replace(host, name=f"x{host.name}", ranks=9, clock_offset_ns=3) for host in two.hosts]
    assert differing(run(), run(launch=build.launch(two.hosts[0]))) == []
    assert differing(run(), run(launch=two)) == ["client"]
    assert differing(run(launch=two), run(launch=build.launch(*two.hosts, more))) == ["client"]
    assert differing(run(launch=two), run(launch=build.launch(*named))) == []


def test_hosts_that_are_not_like_the_first() -> None:
    """A host with other processors makes another client, whichever it is; other facts do not."""
    first, second = build.launch().hosts
    other = replace(second, differs={"cores": 4})
    third = HostOf(name="n2", ranks=2)
    mixed = run(launch=build.launch(first, other, third))
    assert differing(run(launch=build.launch(first, second, third)), mixed) == ["client"]
    moved = build.launch(first, third, replace(other, differs={"cores": 4, "colour": "red"}))
    assert differing(mixed, run(launch=moved)) == []


def test_metadata_is_no_key() -> None:
    """Host name, uptime, temperatures, free memory and parts unknown to the key don't count."""
    other = Environment(key={**KEY, "later": 1}, metadata={"hostname": "b", "temperature_c": 90.0})
    assert differing(run(), run(environment=other)) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fstype": "nfs"}, ["mount"]),
        ({"source": "nas:/y"}, ["mount"]),
        ({"options": (*OPTIONS, "noac")}, ["mount"]),
        ({"options": tuple(o.replace("1048576", "65536") for o in OPTIONS)}, ["mount"]),
        ({"options": (*reversed(OPTIONS), "rw")}, []),
        ({"options": tuple(o.replace("192.0.2.", "10.0.0.") for o in OPTIONS)}, []),
        ({"path": "/elsewhere", "mount_point": "/elsewhere", "label": "/elsewhere/x"}, []),
        ({"free_bytes": 1, "free_inodes": 1, "device_id": "0:99"}, []),
        ({"label": "nas 1"}, ["mount", "target"]),
    ],
)
def test_mount_key(changes: dict[str, Any], expected: list[str]) -> None:
    """Type, export and lasting options make the mount; addresses, order and places don't."""
    assert differing(run(), run(target=build.target(**NFS | changes))) == expected


def test_label_stands_for_the_export() -> None:
    """A mount with the user's label may move to another server and stays the same."""
    one, other = (
        run(target=build.target(**NFS | {"label": "nas 1", "source": source}))
        for source in ("nas:/x", "nas-new:/x")
    )
    assert differing(one, other) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": "2.0"}, ["target"]),
        ({"units": 2}, ["target"]),
        ({"extra": {"node": "rack 7"}}, ["target"]),
        ({"extra": {"contact": "somebody"}, "price": 1.0, "digest": "1" * 64}, []),
    ],
)
def test_target_key(changes: dict[str, Any], expected: list[str]) -> None:
    """Product, version and node make the target; its price doesn't."""
    assert differing(run(), run(system=build.system(**{"version": "1.0"} | changes))) == expected


@pytest.mark.parametrize("name", ["target_id", "target_firmware"])
def test_drives(name: str) -> None:
    """Other drives, or other firmware on them, make another target."""
    metadata = {"target_id": "eui.01", "target_firmware": "FW1"}
    one, other = (
        run(environment=Environment(key=KEY, metadata=told))
        for told in (metadata, {**metadata, name: "other"})
    )
    assert differing(one, other) == ["target"]


def asking(phase: Any, **changes: Any) -> RunRecord:
    """A run of one stage with this phase."""
    return run(plan=build.plan(build.stage(phases=(phase,), **changes)))


def test_workload_key() -> None:
    """Seeds, directories and titles don't count; what is done, how much, and the engine do."""
    one = asking(build.phase())
    elsewhere = build.population(directory="data/other", seed=7)
    assert differing(one, asking(build.phase(population=elsewhere), title="T", repeats=9)) == []
    assert differing(one, replace(one, plan=build.plan(build.stage(), seed=5, name="x"))) == []
    for phase in (build.phase(processes=4), build.phase(population=build.population(files=7))):
        assert differing(one, asking(phase)) == ["workload"]
    assert differing(one, asking(build.phase(), engine="fio")) == ["workload"]


def test_what_is_written_is_the_same_question_with_another_seed() -> None:
    """Pairs of a duel write contents of their own: that makes no series of its own."""

    def writing(seed: int) -> RunRecord:
        made = build.population(directory=f"scratch/{seed}", seed=seed)
        to = Transform(output=made, cpu_ns=0, sample_bytes=1, samples_per_file=1)
        return asking(build.phase(transform=to))

    assert of(writing(1)).series == of(writing(2)).series


def test_order_of_keys_plays_no_part() -> None:
    """The same facts in another order are the same."""
    backwards = Environment(key=dict(reversed(KEY.items())))
    assert differing(run(), run(environment=backwards)) == []


@pytest.mark.parametrize(
    ("version", "harness"),
    [("2.1.3", "2"), ("2.9.0rc1", "2"), ("0.4.1", "0.4"), ("0.10.0", "0.10"), ("odd", "odd")],
)
def test_harness(version: str, harness: str) -> None:
    """The major version decides, and before 1.0 the minor one too."""
    assert harness_version(version) == harness
    assert of(run(aibench_version=version)).harness == harness


def test_options() -> None:
    """Normalised options are in order, once each, and without what names this mounting only."""
    given = ["rw", "seclabel", "port=2049", "mountaddr=1.2.3.4", "hard", "rw", "fd=5", ""]
    assert normalised(given) == ("hard", "rw")


def test_old_record() -> None:
    """A record of the first format has an identity; what it lacks is as if it were not told."""
    old = read(_DATA / "record-1.jsonl")
    assert differing(old, old) == []
    told = replace(old, environment=replace(old.environment, key={**old.environment.key,
                                                                 "nic": None}))  # fmt: skip
    assert differing(old, told) == []
