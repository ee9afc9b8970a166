"""What the page cache holds is seen, and it is emptied where that can be done."""

import contextlib
import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aibench.probes import cache
from tests import lab
from tests.lab import MIB

LOOKS = [cache.cachestat, cache.mincore]


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[int]:
    """A descriptor of ``directory``."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def written(path: Path, size: int) -> str:
    """A file of ``size`` random bytes that is on the medium; its name."""
    with path.open("wb") as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())
    return path.name


def read_plainly(path: Path, start: int, size: int) -> None:
    """Reads ``size`` bytes into the page cache and not one more: without read-ahead."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        assert len(os.pread(descriptor, size, start)) == size
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def disk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A real filesystem."""
    if lab.missing():
        pytest.skip(lab.missing())
    with lab.loop_mount(tmp_path_factory.mktemp("cache"), request.param) as mounted:
        yield mounted.path


def test_not_resident_after_eviction(disk: Path) -> None:
    """Written files are resident, and none of their bytes after eviction."""
    names = [written(disk / f"evicted-{n}", 100_000) for n in range(5)]
    with opened(disk) as root:
        assert cache.residency(root, names).share == 1.0
        done = cache.evict(root, names, allow_drop=False)
        left = cache.residency(root, names)
    assert (done.method, done.files, done.missed) == ("fadvise", 5, 0)
    assert (left.share, left.files, left.bytes, left.missed) == (0.0, 5, 500_000, 0)


def test_eviction_of_dirty_files(disk: Path) -> None:
    """Files that were never synced are written back first, so that they too can be evicted."""
    (disk / "dirty").write_bytes(os.urandom(MIB))
    with opened(disk) as root:
        cache.evict(root, ["dirty"], allow_drop=False)
        assert cache.residency(root, ["dirty"]).share == 0.0


@pytest.mark.skipif(not cache.may_drop_caches(), reason="Dropping all caches needs root.")
def test_drop_caches(disk: Path) -> None:
    """As root everything goes at once, and the record says what is beyond reach all the same."""
    names = [written(disk / f"dropped-{n}", 100_000) for n in range(5)]
    with opened(disk) as root:
        done = cache.evict(root, iter(names))
        assert cache.residency(root, names).share == 0.0
    assert done.method == "drop_caches"
    assert "can't reach the caches of a server" in done.sentence


@pytest.mark.parametrize("look", LOOKS)
def test_half_of_a_file(disk: Path, look: cache.Look) -> None:
    """After half of a file was read, half of it is resident, whichever way one looks."""
    name = written(disk / f"half-{look.__name__}", 4 * MIB)
    with opened(disk) as root:
        cache.evict(root, [name], allow_drop=False)
        read_plainly(disk / name, MIB, 2 * MIB)
        found = looked(root, [name], look)
    assert (found.resident_bytes, found.share) == (2 * MIB, 0.5)
    assert found.method == look.__name__


def looked(root: int, names: list[str], look: cache.Look) -> cache.Residency:
    """The residency by one way to look; skips where the kernel lacks it."""
    found = cache.residency(root, names, looks=(look,))
    if found.problems and "not implemented" in found.problems[0]:
        pytest.skip(f"This kernel has no {look.__name__}.")
    return found


def test_two_ways_agree(disk: Path) -> None:
    """The kernel's count and a mapping of the file agree on every file, of any size."""
    sizes = [0, 1, 4095, 4096, 4097, 100_001, 3 * MIB + 5]
    names = [written(disk / f"size-{size}", size) for size in sizes]
    with opened(disk) as root:
        cache.evict(root, names, allow_drop=False)
        for name, size in zip(names, sizes, strict=True):
            if size > 4096:
                read_plainly(disk / name, 0, 4096)
        for name in names:
            first, second = (looked(root, [name], look) for look in LOOKS)
            assert first.resident_bytes == second.resident_bytes
        assert cache.residency(root, names).resident_bytes == 4096 * 3


def test_weighted_by_bytes(disk: Path) -> None:
    """A large file that is resident weighs more than a small one that is not."""
    names = [written(disk / "large", 9 * MIB), written(disk / "small", MIB)]
    with opened(disk) as root:
        cache.evict(root, names, allow_drop=False)
        read_plainly(disk / "large", 0, 9 * MIB)
        assert cache.residency(root, names).share == pytest.approx(0.9)


def test_mapped_pages_stay(disk: Path) -> None:
    """Pages that a process maps survive advice, and the check shows it."""
    name = written(disk / "mapped", MIB)
    with (
        (disk / name).open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped,
        opened(disk) as root,
    ):
        assert sum(mapped[::4096]) > 0
        cache.evict(root, [name], allow_drop=False)
        assert cache.residency(root, [name]).share == 1.0


def test_vanished_files(tmp_path: Path) -> None:
    """Files that vanished, and things that are no files, are counted and named."""
    names = [written(tmp_path / "here", 5000), "gone", "directory", "link"]
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("here")
    with opened(tmp_path) as root:
        found = cache.residency(root, names)
        done = cache.evict(root, names, allow_drop=False)
    assert (found.files, found.missed, found.population) == (1, 3, 4)
    assert found.problems[:2] == (
        "gone: no such file or directory",
        "directory: not a regular file",
    )
    assert (done.files, done.missed) == (1, 3)
    assert "3 files missed (gone: no such file or directory)" in done.sentence


def test_nothing_to_look_at(tmp_path: Path) -> None:
    """Without files there is no share, which is not the same as none resident."""
    with opened(tmp_path) as root:
        assert cache.residency(root, []).share is None
        assert cache.residency(root, ["gone"]).share is None


def refuse(number: int) -> cache.Look:
    """A way to look that the kernel refuses with an error number."""

    def refused(_descriptor: int, _size: int) -> int:
        raise OSError(number, os.strerror(number))

    return refused


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP])
def test_falls_back(tmp_path: Path, number: int) -> None:
    """Where the kernel's count is missing, forbidden or unsupported, a mapping is looked at."""
    names = [written(tmp_path / str(n), 5000) for n in range(3)]
    with opened(tmp_path) as root:
        found = cache.residency(root, names, looks=(refuse(number), cache.mincore))
    assert (found.method, found.files, found.share) == ("mincore", 3, 1.0)


def test_no_way_to_look(tmp_path: Path) -> None:
    """Where no way to look works, every file is missed and nothing is said to be resident."""
    names = [written(tmp_path / str(n), 5000) for n in range(3)]
    with opened(tmp_path) as root:
        found = cache.residency(root, names, looks=(refuse(errno.ENOSYS),))
    assert (found.share, found.missed, found.method) == (None, 3, "")


def test_real_errors_are_not_fallen_back_from(tmp_path: Path) -> None:
    """An I/O error while looking counts as a file missed, with its reason."""
    name = written(tmp_path / "bad", 5000)
    with opened(tmp_path) as root:
        found = cache.residency(root, [name], looks=(refuse(errno.EIO), cache.mincore))
    assert found.problems == ("bad: input/output error",)


def test_sample() -> None:
    """A sample is all of few, or a repeatable choice in order of many, in constant memory."""
    assert list(cache.sample(5, 10, seed=1)) == [0, 1, 2, 3, 4]
    many = cache.sample(10**8, 100, seed=1)
    assert list(many) == sorted(set(many))
    assert len(many) == 100
    assert many == cache.sample(10**8, 100, seed=1) != cache.sample(10**8, 100, seed=2)


@pytest.mark.skipif(os.geteuid() != 0, reason="Becoming another user needs root.")
def test_without_privileges(tmp_path: Path) -> None:
    """Without root files are advised away one by one, and what can't be seen is counted missed."""
    name = written(tmp_path / "of root", 5000)
    tmp_path.chmod(0o755)
    (tmp_path / "of root").chmod(0o644)
    with opened(tmp_path) as root:
        os.seteuid(65534)
        try:
            assert not cache.may_drop_caches()
            assert cache.evict(root, [name]).method == "fadvise"
            found = cache.residency(root, [name], looks=(cache.mincore,))
        finally:
            os.seteuid(0)
    assert (found.share, found.missed) == (None, 1)
    assert "not told about files of other users" in found.problems[0]
