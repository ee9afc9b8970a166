"""Spread over workers and hosts."""

from typing import Any

from aibench.model import Operation, WorkerResult
from aibench.reporters.document import document
from aibench.reporters.spread import spread
from tests import build

SECOND = 10**9


def worker(host: str, process: int, end_s: float, moved: int = 10**9) -> WorkerResult:
    """A worker that began with the phase."""
    return WorkerResult(
        host=host, process=process, thread=0, operations=100, bytes=moved, start_ns=0,
        end_ns=round(end_s * SECOND),
    )  # fmt: skip


def phase_with(*workers: WorkerResult, repeats: int = 1, **asked: Any) -> dict[str, Any]:
    """The document's phase in which these did the work of each repeat."""
    measured = build.measurement(workers=workers, elapsed_ns=4 * SECOND)
    phase = build.phase(**asked)
    record = build.record(
        *(build.sample(n, phase=phase.name, measurement=measured) for n in range(repeats)),
        plan=build.plan(build.stage(phases=(phase,))),
    )
    found: dict[str, Any] = document(record, ())["workloads"][0]["phases"][0]
    return found


def test_one_host_has_a_row_for_each_repeat() -> None:
    """On one host a row is a repeat; first and last done are marked, and the last one is named."""
    found = spread(phase_with(worker("a", 0, 3), worker("a", 1, 4), repeats=2))
    assert found is not None
    first_row, second_row, first, last = found["data"]
    assert (first_row["x"], set(second_row["y"])) == ([3, 4], {"repeat 2"})
    assert (first["name"], first["x"], first["y"]) == (
        "first done", [3, 3], ["repeat 1", "repeat 2"],
    )  # fmt: skip
    assert last["name"] == "last done: a, process 1, thread 0 in repeat 1"
    assert last["x"] == [4, 4]


def test_hosts_stand_by_their_slowest_worker() -> None:
    """With several hosts a row is a host of the middle repeat, the one that ended last on top."""
    phase = phase_with(
        worker("fast", 0, 2), worker("fast", 1, 2.5), worker("slow", 0, 1), worker("slow", 1, 4)
    )
    found = spread(phase)
    assert found is not None
    assert [trace["y"][0] for trace in found["data"][:2]] == ["slow", "fast"]
    assert found["data"][-1]["name"] == "last done: slow, process 1, thread 0 in repeat 1"


def test_phases_bound_in_time_are_spread_by_rate() -> None:
    """Where all workers end together the slowest one is that with the lowest rate."""
    found = spread(
        phase_with(
            worker("a", 0, 4), worker("b", 0, 4, 4 * 10**9), operation=Operation.READ_BLOCKS,
            runtime_ns=4 * SECOND,
        )
    )  # fmt: skip
    assert found is not None
    assert found["layout"]["xaxis"]["title"]["text"] == "rate of each worker, GB/s"
    *_, fastest, slowest = found["data"]
    assert (fastest["name"], fastest["x"]) == ("fastest", [0.25, 1])
    assert slowest["name"].startswith("slowest: a,")


def test_many_hosts_are_cut_and_told() -> None:
    """Of more hosts than a plot has room for the slowest are drawn, and the rest is counted."""
    found = spread(phase_with(*(worker(f"h{n:03d}", 0, 1 + n / 100) for n in range(40))))
    assert found is not None
    assert [trace["y"][0] for trace in found["data"][:2]] == ["h039", "h038"]
    assert len(found["data"]) == 32
    assert found["layout"]["xaxis"]["title"]["text"] == "worker done after, s; 10 more hosts"


def test_names_of_hosts_are_no_markup() -> None:
    """The name of a host from a foreign record is text in the plot."""
    found = spread(phase_with(worker("<b>x</b>", 0, 1), worker("%{x}", 0, 2)))
    assert found is not None
    assert "<b>" not in str(found)
    assert "%{x}" not in str([trace["name"] for trace in found["data"]])
