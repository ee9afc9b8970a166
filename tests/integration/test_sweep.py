"""Sweeps from the command to the report, and on from where one was cut off."""

from pathlib import Path

import pytest

from tests.integration.command import Stand

pytestmark = pytest.mark.slow

LOAD = ("-w", "load-4k", "--set", "files=400", "--set", "batch=16")
LEVELS = ("--sweep", "workers=1,2,4", "--repeats", "3")


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    """A target in a temporary directory."""
    return Stand(tmp_path)


def test_a_sweep_measures_all_levels_on_one_data_set(stand: Stand) -> None:
    """Each repeat has each level once, in changing order; the report tells how the rate grows.

    All levels read the data that was made once.
    """
    planned = stand.do("plan", stand.target, *LOAD, *LEVELS)
    assert planned.code == 0, planned.err
    assert "the levels stand in another order" in planned.out
    done = stand.run(*LOAD, *LEVELS, "--json")
    assert done.code in (0, 3), done.err
    record = stand.record()
    names = [f"epoch@workers={n}" for n in (1, 2, 4)]
    repeats = [[s.phase for s in record.samples if s.repeat == n] for n in range(3)]
    assert [s.repeat for s in record.samples] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert all(sorted(each) == names for each in repeats)
    assert len({tuple(each) for each in repeats}) > 1
    assert [len({w.process for w in s.measurement.workers}) for s in record.samples] == [
        int(s.phase[-1]) for s in record.samples
    ]
    assert len(list((stand.workspace / "data").iterdir())) == 1
    (workload,) = done.json["workloads"]
    lead = next(curve for curve in workload["sweep"]["curves"] if curve["leads"])
    assert lead["metric"] == "read_bandwidth"
    assert (lead["scaling"] is None) == bool(lead["why_missing"])
    assert stand.scratch() == []
    assert stand.left_running() == []


def test_a_sweep_goes_on_from_where_it_was_cut_off(stand: Stand) -> None:
    """A record that lost its end is completed: what is there stands, and nothing is done twice."""
    assert stand.run(*LOAD, *LEVELS).code in (0, 3)
    (whole,) = stand.paths()
    cut = stand.directory / "cut.jsonl"
    cut.write_text("\n".join(whole.read_text().splitlines()[:5]) + "\n")
    first = stand.record()
    done = stand.run("--resume", cut)
    assert done.code in (0, 3), done.err
    places = [(s.phase, s.repeat) for s in stand.record().samples]
    assert sorted(places) == sorted((s.phase, s.repeat) for s in first.samples)
    assert places[4:] == [(s.phase, s.repeat) for s in first.samples][4:]
    refused = stand.run("--resume", cut, *LEVELS)
    assert refused.code == 2
    assert "--sweep" in refused.messages[0]


def test_a_grid_of_the_harness_alone(stand: Stand) -> None:
    """With engine null two settings make a grid of what the harness does by itself."""
    done = stand.run(
        *LOAD, "--engine", "null", "--sweep", "workers=1,2", "--sweep", "batch=8,64",
        "--repeats", "2",
    )  # fmt: skip
    assert done.code in (0, 3), done.err
    lines = done.out.splitlines()
    assert any(line.startswith("epoch, read bandwidth, typical") for line in lines)
    assert any(line.split()[:4] == ["workers", "\\", "batch", "8"] for line in lines)
    assert max(map(len, lines)) <= 80
    assert "epoch@workers=2,batch=64" in {s.phase for s in stand.record().samples}


def test_hosts_are_refused_without_mpi(stand: Stand) -> None:
    """One process is one host; the message has the line that starts the run on all of them."""
    done = stand.run(*LOAD, "--sweep", "hosts=1,2")
    assert done.code == 2
    assert "mpirun -n 2 --host HOST1,HOST2 aibench run" in done.messages[0]
    assert not stand.workspace.exists()
