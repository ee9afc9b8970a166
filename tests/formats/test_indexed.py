"""Documents of tokens: where they lie, in which order windows go over them, and their index."""

from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aibench.definition.source import parse
from aibench.errors import DefinitionError, WorkspaceError
from aibench.formats.documents import STRETCH, documents_of, windows_in_file
from aibench.formats.files import path_of, size_of, sizes_of, space_bytes, total_bytes
from aibench.formats.format import format_of
from aibench.generators.kind import Request
from aibench.generators.load import KIND, Settings
from aibench.model import Order, Population, Sizes
from aibench.workspace import dataset
from aibench.workspace.clean import clean
from aibench.workspace.root import make
from tests import build
from tests.formats import written


def population(files: int = 3, samples: int = 500, mean: int = 3000, **changes: Any) -> Population:
    """Short documents."""
    return written.population("indexed", files, samples, mean, **changes)


def index(data: bytes) -> tuple[tuple[int, int, int], Any, Any, Any]:
    """(version, type, sequences), lengths, pointers and documents in an index."""
    header = np.dtype([("magic", "S9"), ("version", "<u8"), ("kind", "u1"), ("counts", "<u8", 2)])
    first = np.frombuffer(data, header, 1)[0]
    assert data[:9] == b"MMIDIDX\x00\x00"
    count, documents = first["counts"].tolist()
    assert documents == count + 1
    at = header.itemsize
    lengths = np.frombuffer(data, "<i4", count, at)
    pointers = np.frombuffer(data, "<i8", count, at + 4 * count)
    last = np.frombuffer(data, "<i8", documents, at + 12 * count)
    assert len(data) == at + 12 * count + 8 * documents
    return (int(first["version"]), int(first["kind"]), count), lengths, pointers, last


EACH = st.one_of(st.integers(1, 300), st.sampled_from([STRETCH - 1, STRETCH, 2 * STRETCH]))


@settings(max_examples=40, deadline=None)
@given(EACH, st.integers(1, 20_000), st.sampled_from([2, 4]), st.floats(0, 2), st.integers(0, 99))
def test_sizes_are_exact(each: int, mean: int, token: int, sigma: float, seed: int) -> None:
    """File and index have the sizes that were told; the index tells where all documents are."""
    sizes = Sizes(distribution="lognormal", mean=mean, sigma=sigma, smallest=0, largest=9 * mean)
    files = build.population(
        files=2, samples_per_file=each, format="indexed", sizes=sizes, token_bytes=token, seed=seed
    )
    for number in range(2):
        data = written.packed(files, number, ".idx")
        assert size_of(files, number, ".idx") == len(data)
        (version, kind, count), lengths, pointers, last = index(data)
        assert (version, kind, count) == (1, {2: 8, 4: 4}[token], each)
        assert lengths.min() >= 1
        ends = list(accumulate((lengths.astype(np.int64) * token).tolist(), initial=0))
        assert pointers.tolist() == ends[:-1]
        assert size_of(files, number) == ends[-1]
        assert last.tolist() == list(range(each + 1))
    assert total_bytes(files) == int(sizes_of(files, np.arange(2)).sum())


@settings(max_examples=30, deadline=None)
@given(EACH, st.integers(1, 5000), st.sampled_from([2, 4]), st.integers(0, 99))
def test_an_epoch_goes_once_over_each_document(each: int, mean: int, token: int, seed: int) -> None:
    """In the shuffled order each document comes once, whole, from where the index says."""
    files = population(1, each, mean, token_bytes=token, seed=seed)
    documents = documents_of(files)
    _, lengths, pointers, _ = index(written.packed(files, 0, ".idx"))
    found = list(documents.pieces(0, 0, documents.tokens))
    assert sorted(document for document, *_ in found) == list(range(each))
    for document, offset, length in found:
        assert offset == pointers[document]
        assert length == lengths[document] * token


@settings(max_examples=40, deadline=None)
@given(EACH, st.integers(1, 5000), st.integers(1, 3000), st.integers(0, 99))
def test_windows_are_parts_of_that_order(each: int, mean: int, window: int, seed: int) -> None:
    """All windows after each other are the shuffled documents, each with a token of the next."""
    files = population(1, each, mean, seed=seed)
    documents = documents_of(files)
    count = windows_in_file(files, window)
    whole = np.concatenate(
        [np.arange(o, o + n, 2) for _, o, n in documents.pieces(0, 0, documents.tokens)]
    )
    assert count * window + 1 <= documents.tokens <= (count + 1) * window
    for number in {0, count // 2, count - 1} if count else ():
        pieces = list(documents.pieces(0, number * window, window + 1))
        tokens = np.concatenate([np.arange(o, o + n, 2) for _, o, n in pieces])
        assert tokens.tolist() == whole[number * window : (number + 1) * window + 1].tolist()


def test_documents_after_each_other_lie_apart() -> None:
    """Neighbours in the shuffled order are anywhere in the file, and files differ."""
    files = population(2, 16 * STRETCH)
    documents = documents_of(files)
    order = [document for document, *_ in documents.pieces(0, 0, documents.tokens)]
    gaps = np.abs(np.diff(order))
    assert np.median(gaps) == pytest.approx(len(order) * (1 - 0.5**0.5), rel=0.05)
    assert order[:50] != [d for d, *_ in documents.pieces(1, 0, documents.tokens)][:50]
    assert all(b != a + 1 for a, b in pairwise(order[:1000]))


def test_sizes_of_documents_are_those_asked_for() -> None:
    """Their mean is the one asked for, less what a token is cut short by."""
    files = population(1, STRETCH, 3000)
    _, lengths, _, _ = index(written.packed(files, 0, ".idx"))
    assert 2998 <= lengths.mean() * 2 <= 3000
    logarithms = np.log(lengths.astype(float))
    assert np.std(logarithms) == pytest.approx(0.8, rel=0.05)


def test_a_billion_documents_take_no_memory() -> None:
    """Places are computed, however many documents there are."""
    files = population(200, STRETCH * 2**18, 3000)
    documents = documents_of(files)
    last = windows_in_file(files, 2048) - 1
    pieces = list(documents.pieces(199, last * 2048, 2049))
    assert sum(length for *_, length in pieces) == 4098
    assert max(offset for _, offset, _ in pieces) < size_of(files, 199)
    assert space_bytes(files) > total_bytes(files) + 200 * 20 * STRETCH * 2**18


@pytest.mark.parametrize("suffix", ["", ".idx"])
def test_a_wrong_byte_is_found_anywhere(tmp_path: Path, suffix: str) -> None:
    """In the tokens and in every part of the index."""
    files = population(2, 7, 60)
    done = written.write(files, tmp_path)
    whole = written.verify(files, tmp_path)
    assert (whole.wrong, whole.operations, whole.bytes) == (None, 2, done.bytes)
    path = tmp_path / (path_of(files, 1) + suffix)
    data = path.read_bytes()
    for offset in range(len(data)):
        path.write_bytes(data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :])
        found = written.verify(files, tmp_path)
        assert (found.wrong, found.suffix) == ((1, offset), suffix)


def test_generation_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Granules written one by one, in any order, make the same files as all at once."""
    files = population(6)
    written.write(files, tmp_path / "once")
    for number in (2, 0, 1):
        written.write(files, tmp_path / "parts", only=(number,))
    assert written.everything(files, tmp_path / "once") == written.everything(
        files, tmp_path / "parts"
    )


def test_an_index_belongs_to_the_data_set(tmp_path: Path) -> None:
    """A data set without an index is refused, and what is there goes with 'clean', to the last."""
    workspace = make(str(tmp_path))
    workspace.lock()
    files = population(2, directory="data/tokens")
    with dataset.writing(workspace, files, dataset.state(workspace, files)) as path:
        written.write(files, Path(path))
    assert dataset.state(workspace, files).complete
    (Path(path) / (path_of(files, 1) + ".idx")).unlink()
    with pytest.raises(WorkspaceError, match=r"f0000000001\.idx was changed or removed"):
        dataset.state(workspace, files)
    assert clean(workspace).left == []
    workspace.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reader", ["mmap", "file"])
def test_no_io_reads_as_much(reader: str) -> None:
    """Without I/O every window comes once, each with its tokens and one more."""
    files = population(3)
    windows = format_of(files).windows
    assert windows is not None
    count = windows(files, 128)
    done = written.without_io(files, reader, window=128)
    assert (done.operations, done.bytes) == (count, count * 129 * 2)
    assert count == 3 * windows_in_file(files, 128)


@pytest.mark.parametrize("token", [2, 4])
@pytest.mark.parametrize("python", [(3, 11), (3, 14)])
@pytest.mark.parametrize("block", [4096, 131_072, 2**20])
@pytest.mark.parametrize("reader", ["mmap", "file"])
def test_windows_of_all_files(
    tmp_path: Path, reader: str, block: int, python: tuple[int, int], token: int
) -> None:
    """Each window's bytes are read or touched; the index is looked at for every piece."""
    files = population(2, token_bytes=token)
    written.write(files, tmp_path)
    numbers = [0, 2 * windows_in_file(files, 300) - 1, 1]
    access: dict[str, Any] = {"window": 300, "block": block, "python": python}
    with written.reading(files, tmp_path, reader, numbers, **access) as (spy, samples):
        assert list(samples) == [301 * token] * 3
    touched = sum(step.asked for step in spy.named("touch"))
    pieces = len([step for step in spy.named("touch") if step.asked == 4])
    read = [step for step in spy.named("readv") if not step.path.endswith(".idx")]
    assert pieces >= 3
    assert touched == 12 * pieces + (3 * 301 * token if reader == "mmap" else 0)
    assert [step.came for step in read] == [step.asked for step in read]
    assert sum(step.came for step in read) == (0 if reader == "mmap" else 3 * 301 * token)
    headers = [step for step in spy.named("readv") if step.path.endswith(".idx")]
    old = python < (3, 14)
    assert [step.asked for step in headers] == [block if old else max(block, 2**17)] * 2


@pytest.mark.parametrize("reader", ["mmap", "file"])
def test_a_reader_that_is_stopped_closes_all_files(tmp_path: Path, reader: str) -> None:
    """Stopped after the first of many windows, nothing stays open or mapped."""
    files = population()
    written.write(files, tmp_path)
    with written.reading(files, tmp_path, reader, range(20), window=100) as (_, samples):
        next(samples)
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def phases(**given: Any) -> Any:
    """The phases of a workload with documents of tokens."""
    asked = {"format": "indexed", "files": 2, "samples_per_file": 4096, "size": "3KiB"} | given
    checked = parse(Settings, asked, "load.toml")
    return KIND.phases(checked, Request(workload="text", seed=3, cpus=4))


def test_the_defaults_are_those_of_megatron() -> None:
    """Windows of 2048 tokens of two bytes, mapped; both can be set."""
    _, epoch = phases()
    assert (epoch.window, epoch.population.token_bytes, epoch.reader) == (2048, 2, "mmap")
    assert epoch.order is Order.SHUFFLED
    _, epoch = phases(window=8192, tokens="int32", reader="file")
    assert (epoch.window, epoch.population.token_bytes, epoch.reader) == (8192, 4, "file")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"samples_per_file": 5000}, "a multiple of that, not samples_per_file = 5000"),
        ({"files": 257}, "at most 256 of them, not 257"),
        ({"samples_per_file": 1, "window": 10_000}, "no file holds a window of 10000 tokens"),
    ],
)
def test_what_is_refused(given: dict[str, Any], says: str) -> None:
    """The sentence says what is wrong and what would be right."""
    with pytest.raises(ValueError, match=says):
        phases(**given)


@pytest.mark.parametrize("given", [{"window": 512}, {"tokens": "int32"}])
def test_other_formats_have_no_tokens(given: dict[str, Any]) -> None:
    """Nothing that is asked for is ignored."""
    with pytest.raises(DefinitionError, match="format 'files' holds no tokens"):
        parse(Settings, given, "load.toml")


def test_an_offered_rate_in_bytes_is_one_of_windows() -> None:
    """Samples a second come from the size of a window, not from that of a document."""
    *_, epoch = phases(rates=["4098MB/s"], window=2048)
    assert epoch.rate == pytest.approx(10**6)
