"""What surrounds training, by the real command: collecting, preprocessing, serving."""

from pathlib import Path

import pytest

from tests.integration.command import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    """A target on the disk of the tests."""
    return Stand(tmp_path)


@pytest.mark.slow
def test_data_is_collected_and_verified(stand: Stand) -> None:
    """Each repeat collects anew and is compared; nothing stays, and no byte is wrong."""
    done = stand.run("-w", "ingest", "--repeats", "2", "--set", "files=40", "--set", "workers=2")
    assert done.code == 0, done.err
    samples = stand.record().samples
    assert [s.phase for s in samples] == ["ingest", "verify"] * 2
    assert all(s.measurement.operations == 40 and not s.reasons for s in samples)
    assert [s.measurement.wrong_bytes for s in samples] == [None, 0] * 2
    assert stand.scratch() == []
    assert "wrong bytes" in done.out


@pytest.mark.slow
def test_data_is_collected_from_a_directory(stand: Stand) -> None:
    """A source is copied, its part in the time is told, and it stays as it was."""
    source = stand.directory / "source"
    source.mkdir()
    for number in range(5):
        (source / f"raw-{number}").write_bytes(bytes([number]) * 10_000 * number)
    done = stand.run("-w", "ingest", "--repeats", "1", "--set", f"source={source}")
    assert done.code == 0, done.err
    ingest, verify = stand.record().samples
    assert (ingest.measurement.operations, ingest.measurement.bytes) == (5, 100_000)
    assert verify.measurement.wrong_bytes == 0
    assert sorted(path.name for path in source.iterdir()) == [f"raw-{n}" for n in range(5)]
    assert "source share" in done.out


def test_a_comparison_needs_data(stand: Stand) -> None:
    """The null engine keeps none: it is refused with what leaves the comparison out."""
    done = stand.run("-w", "ingest", "--engine", "null", "--repeats", "1")
    assert done.code == 2
    assert "verify=false" in done.err
    left_out = ("--set", "verify=false", "--set", "files=50")
    assert stand.run("-w", "ingest", "--engine", "null", "--repeats", "1", *left_out).code == 0


@pytest.mark.slow
def test_a_cache_is_served(stand: Stand) -> None:
    """Each repeat fills the cache and asks it for as long as was said; nothing stays."""
    small = ("--set", "blocks=12", "--set", "tokens=2", "--set", "runtime=300ms")
    done = stand.run("-w", "serve-cache", "--repeats", "2", *small, "--set", "workers=2")
    assert done.code == 0, done.err
    samples = stand.record().samples
    assert [s.phase for s in samples] == ["offload", "serve"] * 2
    for sample in samples[1::2]:
        assert sample.measurement.operations > 0
        assert sample.measurement.elapsed_ns >= 300_000_000
        assert sample.evidence is not None
        assert sample.evidence.asked_bytes == sample.measurement.bytes
    assert stand.scratch() == []
    assert "offload" in done.out


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["mmap", "read"])
def test_a_model_is_started(stand: Stand, reader: str) -> None:
    """All weights are read once, either way, from the same files."""
    small = ("--set", "serve-start.scale=1e-3", "--set", "shard_size=5MB")
    done = stand.run("-w", "serve-start", "--repeats", "1", *small, "--set", f"reader={reader}")
    assert done.code == 0, done.err
    (sample,) = stand.record().samples
    assert sample.measurement.operations == 4
    assert sample.measurement.bytes > 8_030_261_248 * 2 * 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("form", [(), ("--set", "format=webdataset")])
def test_data_is_preprocessed(stand: Stand, form: tuple[str, ...]) -> None:
    """Raw data is read and shards are written anew in each repeat; only raw data stays."""
    small = ("--set", "files=60", "--set", "workers=2", "--set", "cpu=100us")
    done = stand.run("-w", "preprocess", "--repeats", "2", *small, *form)
    assert done.code == 0, done.err
    samples = stand.record().samples
    assert [s.phase for s in samples] == ["preprocess"] * 2
    for sample in samples:
        assert sample.measurement.operations == 60
        assert sample.evidence is not None
        assert {"read", "compute", "write"} <= set(sample.measurement.histograms)
    assert stand.scratch() == []
    assert "compute share" in done.out
