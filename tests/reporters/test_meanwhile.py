"""Throughput with the client over it."""

from typing import Any

from aibench.model import Series, Telemetry
from aibench.reporters.document import document
from aibench.reporters.meanwhile import meanwhile
from tests import build

SECOND = 10**9


def phase_with(telemetry: Telemetry | None, **changes: Any) -> dict[str, Any]:
    """The document's phase of three repeats, of which the one in the middle was watched."""
    series = Series(interval_ns=SECOND, operations=(10, 10), bytes=(1000, 1000))
    samples = [
        build.sample(
            repeat,
            measurement=build.measurement(series=series, elapsed_ns=elapsed * SECOND, **changes),
            telemetry=telemetry if elapsed == 2 else None,
        )
        for repeat, elapsed in enumerate((3, 2, 1))
    ]
    found: dict[str, Any] = document(build.record(*samples), ())["workloads"][0]["phases"][0]
    return found


def watched(*ends: int, **series: tuple[float | None, ...]) -> Telemetry:
    """A watch of two seconds and a half."""
    return Telemetry(ends_ns=ends, series=series, cost_ns=1000, watched_ns=5 * SECOND // 2)


SHARES: dict[str, Any] = {
    "cpu.busiest_core_share": (0.5, 0.9),
    "device.nvme0n1.utilisation_share": (None, 0.25),
    "memory.dirty_bytes": (1.0, 2.0),
    "pressure.io.some_share": (None, None),
}


def test_overlay() -> None:
    """The middle repeat's throughput, and the known shares over it on an axis of their own.

    Watching began half a second before the phase, so its times are shifted by that.
    """
    ends = (5 * SECOND // 4, 5 * SECOND // 2)
    found = meanwhile(phase_with(watched(*ends, **SHARES)))
    assert found is not None
    line, busiest, device = found["data"]
    assert (line["name"], line["x"]) == ("throughput", [0.5, 1.5])
    assert (busiest["name"], busiest["y"]) == ("busiest core", [0.5, 0.9])
    assert busiest["x"] == [0.125, 1.375]
    assert (device["name"], device["y"], device["yaxis"]) == ("nvme0n1 in use", [None, 0.25], "y2")
    assert found["layout"]["yaxis2"]["range"] == [0, 1.05]


def test_cards_and_devices_stand_on_the_axis_of_throughput() -> None:
    """What moved in the direction of the phase is drawn in its unit; what hardly moved is not."""
    rates: dict[str, Any] = {
        "nic.eth0.received_bytes_rate": (2e6, 4e6), "nic.eth0.sent_bytes_rate": (9e9, 9e9),
        "nic.eth1.received_bytes_rate": (1.0, 1.0),
        "device.vda.read_bytes_rate": (None, 3e6),
    }  # fmt: skip
    found = meanwhile(phase_with(watched(5 * SECOND // 4, 5 * SECOND // 2, **SHARES, **rates)))
    assert found is not None
    assert found["layout"]["yaxis"]["title"]["text"] == "MB/s"
    moved = {line["name"]: line["y"] for line in found["data"] if "yaxis" not in line}
    assert moved == {
        "throughput": [0.001, 0.001], "eth0 received": [2, 4], "vda read": [None, 3],
    }  # fmt: skip


def test_names_are_no_markup() -> None:
    """A device's name from a foreign record is text."""
    shares = {"device.<b>x</b>.utilisation_share": (0.1, 0.2)}
    found = meanwhile(phase_with(watched(SECOND, 2 * SECOND, **shares)))
    assert found is not None
    assert found["data"][1]["name"] == "&lt;b&gt;x&lt;/b&gt; in use"


def test_nothing_to_show() -> None:
    """No plot where nothing was watched, for one interval only, or without a series."""
    whole = watched(SECOND, 2 * SECOND, **SHARES)
    assert meanwhile(phase_with(None)) is None
    assert meanwhile(phase_with(watched(SECOND, **{"cpu.busy_share": (0.5,)}))) is None
    assert meanwhile(phase_with(watched(SECOND, 2 * SECOND))) is None
    assert meanwhile(phase_with(whole) | {"samples": []}) is None
