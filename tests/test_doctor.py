"""The doctor says what stands in the way of measuring, and leaves the mount as it was."""

import os
from pathlib import Path

import pytest

from aibench import doctor
from aibench.doctor import Check, examine
from tests import build, lab


def checks(path: Path, results: str | None = None) -> dict[str, Check]:
    """The checks of ``path`` by name."""
    return {check.name: check for check in examine(str(path), results)}


@pytest.mark.mounts
@lab.requires_mounts
@pytest.mark.parametrize("fstype", ["ext4", "xfs"])
def test_real_disk(tmp_path: Path, fstype: str) -> None:
    """On a real disk the target, the evidence, O_DIRECT and the space are ok."""
    with lab.loop_mount(tmp_path, fstype) as mounted:
        found = checks(mounted.path)
        for name in ("target", "mounted", "filesystem", "cache evidence", "O_DIRECT", "space"):
            assert found[name].status == "ok", found[name]
        assert f"block device {mounted.device}" in found["cache evidence"].found
        assert found["results"].status == "ok"
        assert not list(mounted.path.glob(".*"))


@pytest.mark.mounts
@lab.requires_mounts
def test_results_on_the_mount(tmp_path: Path) -> None:
    """Records that would go onto the mount under test are warned about."""
    with lab.tmpfs_mount(tmp_path) as mounted:
        check = checks(mounted.path, str(mounted.path / "new" / "results"))["results"]
    assert check.status == "warning"
    assert "--results" in check.advice


@pytest.mark.mounts
@lab.requires_mounts
def test_memory(tmp_path: Path) -> None:
    """A tmpfs is said to be memory, where no phase can be cold."""
    with lab.tmpfs_mount(tmp_path, inodes=1000) as mounted:
        found = checks(mounted.path)
    assert found["filesystem"].status == "warning"
    assert "not storage" in found["filesystem"].advice
    assert found["cache evidence"].status == "warning"
    assert found["inodes"].status == "warning"


@pytest.mark.mounts
@lab.requires_mounts
def test_cached_image(tmp_path: Path) -> None:
    """A loop device over the page cache is warned about, with the command that mends it."""
    with lab.loop_mount(tmp_path, direct=False) as mounted:
        check = checks(mounted.path)["cache evidence"]
    assert (check.status, check.advice) == (
        "warning",
        f"losetup --direct-io=on /dev/{mounted.device}",
    )


@pytest.mark.mounts
@lab.requires_mounts
def test_full_disk(tmp_path: Path) -> None:
    """A disk on which not even a small file fits fails, and nothing is left on it."""
    with lab.tmpfs_mount(tmp_path, size=4 * lab.MIB) as mounted:
        (mounted.path / "ballast").write_bytes(bytes(4 * lab.MIB))
        found = checks(mounted.path)
        assert os.listdir(mounted.path) == ["ballast"]
    assert found["small file"].status == "fails"
    assert "no space left" in found["small file"].found
    assert found["space"].status == "warning"


@pytest.mark.mounts
@lab.requires_mounts
def test_read_only(tmp_path: Path) -> None:
    """A read-only mount fails, and no file is tried on it."""
    with lab.tmpfs_mount(tmp_path, read_only=True) as mounted:
        found = checks(mounted.path)
    assert found["target"].status == "fails"
    assert not {"O_DIRECT", "small file"} & set(found)


def test_network_target() -> None:
    """For a network mount the link is looked at: its speed, or that it is not known."""
    check = doctor.network(build.target(fstype="nfs4", source="nas:/x", server="nas"))
    assert check.found.startswith("nas through ")


def test_missing_directory(tmp_path: Path) -> None:
    """A missing directory fails, and the machine is examined all the same."""
    found = checks(tmp_path / "missing")
    assert found["target"].status == "fails"
    assert "does not exist" in found["target"].found
    assert set(found) == {"target", "fio", "eviction", "cpu", "clock", "noise"}


def test_file_for_directory(tmp_path: Path) -> None:
    """A file where a directory is needed fails."""
    (tmp_path / "file").touch()
    check = checks(tmp_path / "file")["target"]
    assert (check.status, "is a file" in check.found) == ("fails", True)


def test_advice_with_every_problem(tmp_path: Path) -> None:
    """Each check has a name of its own, and says what it found."""
    found = examine(str(tmp_path))
    assert len({check.name for check in found}) == len(found)
    assert all(check.found for check in found)


def test_mount_options() -> None:
    """Options that change what is measured are explained; costly ones are warnings."""
    nfs = build.target(fstype="nfs4", options=("rw", "noac", "soft", "hard"), server="nas")
    check = doctor.mount_options(nfs)
    assert check.status == "warning"
    for word in ("noac:", "soft:", "no nconnect:"):
        assert word in check.advice
    calm = build.target(fstype="nfs4", options=("rw", "noatime", "nconnect=8"), server="nas")
    check = doctor.mount_options(calm)
    meaning = "noatime: reading writes no access times; "
    meaning += "nconnect=8: that many connections carry the traffic"
    assert (check.status, check.advice) == ("ok", meaning)


def test_without_fio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fio is missing or does not run, the advice is to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    check = checks(tmp_path)["fio"]
    assert (check.status, "apt install fio" in check.advice) == ("warning", True)
    (tmp_path / "fio").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "fio").chmod(0o755)
    check = checks(tmp_path)["fio"]
    assert (check.status, "does not run" in check.found) == ("warning", True)


def test_unmeasurable_target() -> None:
    """What a mount does not tell is a warning, never passed as ok."""
    unknown = build.target(total_bytes=None, free_bytes=None)
    assert doctor.space(unknown).status == "warning"
    assert doctor.cache_evidence(build.target(fstype="fuse.juicefs")).status == "warning"
    nearly_full = build.target(total_bytes=1000, free_bytes=99)
    assert doctor.space(nearly_full).status == "warning"
