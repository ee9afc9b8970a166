"""Data sets are reused, completed and verified through the command line; clean takes them away."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.command import SMALL, Done, Stand

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """A stand after one small run."""
    stand = Stand(tmp_path_factory.mktemp("data"))
    assert stand.run(*SMALL).code == 0
    return stand


def data_sets(stand: Stand) -> list[Path]:
    """The directories of the data sets."""
    return sorted((stand.workspace / "data").iterdir())


def times(stand: Stand) -> dict[Path, int]:
    """When each file of the data was last written."""
    return {p: p.stat().st_mtime_ns for p in (stand.workspace / "data").rglob("f*")}


def test_reused(stand: Stand) -> None:
    """A second run of the same reads the data of the first, and writes none of it again."""
    before = times(stand)
    done = stand.run(*SMALL)
    assert done.code == 0
    assert times(stand) == before
    assert "layout" not in done.err


def test_another_population(stand: Stand) -> None:
    """Other sizes or another seed are other data, beside what is there."""
    before = times(stand)
    assert stand.run(*SMALL, "--seed", "2").code == 0
    assert stand.run(*SMALL, "--set", "size=5KiB").code == 0
    assert len(data_sets(stand)) == 3
    assert before.items() <= times(stand).items()
    verified = stand.ask("verify", stand.target)
    assert verified.code == 0
    assert verified.out.count("every byte as written") == 3


@pytest.fixture(scope="module")
def one_set(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    """A stand with one data set."""
    stand = Stand(tmp_path_factory.mktemp("one"))
    assert stand.run(*SMALL).code == 0
    return stand


@pytest.fixture
def whole(one_set: Stand) -> Iterator[Stand]:
    """A stand with one data set, of which a file is to be changed."""
    path = next(one_set.workspace.glob("data/*/d000000/f0000000123"))
    content = path.read_bytes()
    yield one_set
    path.write_bytes(content)


def flip(path: Path) -> None:
    """Change one bit of the file."""
    content = bytearray(path.read_bytes())
    content[99] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip, ": the byte at offset 99 is wrong, the first one"),
        (lambda path: path.write_bytes(path.read_bytes()[:7]), " ends after 7 bytes, and 4096"),
        (Path.unlink, " is missing"),
    ],
    ids=["flipped", "truncated", "missing"],
)
def test_wrong_data(whole: Stand, change: Callable[[Path], object], words: str) -> None:
    """Verify names the file and the offset of what is wrong: exit code 1."""
    stand = whole
    path = next(stand.workspace.glob("data/*/d000000/f0000000123"))
    assert stand.ask("verify", stand.target).code == 0
    change(path)
    done = stand.ask("verify", stand.target)
    assert done.code == 1
    assert done.out == f"WRONG  {path}{words}{' were written' if 'ends' in words else ''}\n"
    (one,) = stand.ask("verify", stand.target, "--json").json["data"]
    assert one["wrong"] == str(path)


def test_edited_manifest(tmp_path: Path) -> None:
    """Data whose manifest was edited can't be compared (code 3); the next run writes it anew."""
    stand = Stand(tmp_path)
    assert stand.run(*SMALL).code == 0
    manifest = data_sets(stand)[0] / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"mean": 4096', '"mean": 4097'))
    done = stand.ask("verify", stand.target)
    assert done.code == 3
    assert "manifest.json is missing, damaged or was edited" in done.out
    assert stand.run(*SMALL).code == 0
    assert stand.ask("verify", stand.target).code == 0


def told(stand: Stand) -> Done:
    """``aibench clean`` on the target."""
    return stand.do("clean", stand.target)


def test_clean(tmp_path: Path) -> None:
    """Clean removes all, twice in a row without complaint; what is foreign it leaves and names."""
    stand = Stand(tmp_path)
    assert told(stand).messages == [f"nothing of aibench's is under {stand.target}"]
    assert stand.run(*SMALL).code == 0
    foreign = data_sets(stand)[0] / "my \x1b[31mnotes.txt"
    foreign.write_text("mine")
    done = told(stand)
    assert done.code == 1
    assert "left alone, because aibench did not make it: " in done.err
    assert "\x1b" not in done.err
    assert foreign.read_text() == "mine"
    assert told(stand).code == 1
    foreign.unlink()
    assert told(stand).code == 0
    assert list(stand.target.iterdir()) == []
    assert told(stand).code == 0


def test_half_made(tmp_path: Path) -> None:
    """What a killed run had begun to make is removed, and that is said."""
    stand = Stand(tmp_path)
    (stand.target / "aibench-data.new-0123abcd").mkdir()
    assert told(stand).messages == ["removed what a killed run had begun to make or to remove"]
    assert list(stand.target.iterdir()) == []


def test_nothing_to_verify(tmp_path: Path) -> None:
    """Where no run has been there is nothing to verify, and that is no failure."""
    stand = Stand(tmp_path)
    done = stand.ask("verify", stand.target)
    assert (done.code, done.out) == (0, "")
    assert done.messages == [f"there is no data of aibench's under {stand.target}"]


def test_a_second_mount_is_asked_for_by_name(tmp_path: Path) -> None:
    """What belongs to reading through another mount is refused without one, or with the same."""
    stand = Stand(tmp_path)
    done = stand.ask("verify", stand.target, "--repeats", "2")
    assert (done.code, done.messages) == (
        2, ["--repeats goes with --written-through, which keeps a record"],
    )  # fmt: skip
    done = stand.ask("verify", stand.target, "--written-through", stand.target)
    assert (done.code, "that is one protocol" in done.err) == (2, True)
    done = stand.ask("verify", stand.target, "--written-through", tmp_path / "none")
    assert (done.code, done.messages) == (2, [f"{tmp_path / 'none'} is not a directory"])
    assert stand.paths() == []
