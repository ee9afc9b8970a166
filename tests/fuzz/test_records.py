"""Records from others are data: whatever one holds, it is shown, or refused in one sentence."""

import copy
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aibench import lines
from aibench.cli.chosen import chosen_claims
from aibench.errors import RecordError
from aibench.judge import judge
from aibench.registry import names, plugin
from aibench.reporters.document import document
from aibench.store import Writer, read
from tests import build
from tests.fuzz.bounded import refused

Lines = list[dict[str, Any]]
CLAIMS = chosen_claims(())
FORMS = ("json", "markdown", "terminal", "html")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """The lines of a record of every part that a record can have."""
    folder = tmp_path_factory.mktemp("honest")
    record = build.record(system=build.system())
    writer = Writer(str(folder), record)
    for sample in record.samples:
        writer.add(sample)
    writer.finish()
    found: Lines = [json.loads(line) for line in Path(writer.path).read_text().splitlines()]
    for line in found[1:-1]:
        line["telemetry"] = {
            "ends_ns": [500, 1000], "cost_ns": 1, "watched_ns": 1000,
            "series": {"cpu.busy_share": [0.5, None], "device.sda.utilisation_share": [1, 1]},
        }  # fmt: skip
        line["ceiling"] = {"operations": 9, "bytes": 9, "elapsed_ns": 9}
    return found


def saved(folder: Path, record: Lines, *more: bytes) -> Path:
    """A record file of ``lines``, with the lines ``more`` before its last one."""
    path = folder / "record.jsonl"
    whole = [json.dumps(line).encode() for line in record]
    path.write_bytes(b"\n".join([*whole[:-1], *more, whole[-1]]) + b"\n")
    return path


def shown(path: Path) -> None:
    """Render a record in every format."""
    record = read(path)
    found = document(record, judge(record, CLAIMS, record.system))
    for form in FORMS:
        assert plugin("reporters", form)(found, width=80)


def test_all_formats_are_tried() -> None:
    """A new report format is tried with hostile records too."""
    assert set(FORMS) <= set(names("reporters"))


def test_the_honest_record_is_shown(honest: Lines, tmp_path: Path) -> None:
    """What is made worse below is a good record."""
    shown(saved(tmp_path, honest))


def in_samples(**changes: Any) -> Callable[[Lines], object]:
    """Changes parts of the measurement of every sample; dots go down into them."""

    def change(lines: Lines) -> None:
        for line in lines[1:-1]:
            for path, value in changes.items():
                *parents, key = path.split("__")
                part: Any = line
                for parent in parents:
                    part = part[parent]
                part[key] = value

    return change


SERIES = {
    "interval_ns": 1,
    "operations": [1],
    "bytes": [1],
    "p50_ns": [],
    "p99_ns": [1],
    "max_ns": [],
}
WHOLE = "measurement__histograms__whole__"
IMPOSSIBLE = {
    "intervals of no length": in_samples(measurement__series=SERIES | {"interval_ns": 0}),
    "as long as each other": in_samples(measurement__series=SERIES | {"bytes": [1, 2]}),
    "'series' has a number below 0": in_samples(measurement__series=SERIES | {"bytes": [-1]}),
    "has 1099511627777 in its bin 5": in_samples(**{f"{WHOLE}bins": [[5, 2**40 + 1]]}),
    "not in order": in_samples(**{f"{WHOLE}bins": [[5, 500], [5, 500]]}),
    "do not add up": in_samples(**{f"{WHOLE}count": 1001}),
    "no smallest or largest": in_samples(**{f"{WHOLE}min_ns": None}),
    "above the largest": in_samples(**{f"{WHOLE}min_ns": 10**15}),
    "'whole' has a number below 0": in_samples(**{f"{WHOLE}min_ns": -1}),
    "'measurement' has a number": in_samples(measurement__first_done_ns=-1),
    "'evidence' has a number": in_samples(evidence__resident_share=-0.5),
    "'ceiling' has a number": in_samples(ceiling__elapsed_ns=-1),
    "'telemetry' has a number": in_samples(telemetry__watched_ns=-1),
    "'repeat' has a number": in_samples(repeat=-1),
    "too large": in_samples(evidence__resident_share=1e300),
    "too many digits": in_samples(measurement__bytes=2**63),
    "finished_at is no time": lambda lines: lines[-1].update(finished_at={"a": 1}),
    "has no unit": lambda lines: lines[0]["system"].update(units=0),
    "more than 1000 phases": lambda lines: lines[0]["plan"].update(
        stages=lines[0]["plan"]["stages"] * 501
    ),
    "a text that is too long": lambda lines: lines[0]["target"].update(path="x" * 300_000),
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_have_been_counted_is_damage(what: str, honest: Lines, tmp_path: Path) -> None:
    """A number that would divide by zero, overflow or draw for ever is told, and refused."""
    lines = copy.deepcopy(honest)
    IMPOSSIBLE[what](lines)
    with pytest.raises(RecordError, match=re.escape(what)) as caught:
        read(saved(tmp_path, lines))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b'{"kind":"sample","kind":"done"}', "a key twice"),
        (b'{"kind":"sample","x":1e400}', "too large"),
        (b'{"kind":"sample","x":-1e400}', "too large"),
        (b'{"kind":"sample","x":' + b"[" * 10**6 + b"]" * 10**6 + b"}", "nested too deeply"),
        (b'{"kind":"sample","x":{"y":{"z":1,"z":2}}}', "a key twice"),
        (b'{"kind":"sample","x":["' + b"y" * 300_000 + b'"]}', "too long"),
        (b'{"kind":"\xff"}', "no JSON"),
    ],
)  # fmt: skip
def test_hostile_lines_are_damage(line: bytes, what: str, honest: Lines, tmp_path: Path) -> None:
    """Lines that parsers read differently, or that only cost memory, are refused with why."""
    with pytest.raises(RecordError, match=what):
        read(saved(tmp_path, honest, line))


@pytest.mark.parametrize("kind", ["fifo", "zero"])
def test_only_regular_files_are_read(kind: str, tmp_path: Path) -> None:
    """A pipe or a device is no record, and is not waited for."""
    path = tmp_path / "record.jsonl"
    os.mkfifo(path)
    with pytest.raises(RecordError, match="not a regular file"):
        read(path if kind == "fifo" else "/dev/zero")


#: So many bytes are made when they are needed, and not held by whoever imports this.
BOMBS = {
    "empty lists": lambda: b'{"kind":"sample","x":[' + b"[]," * 20_000_000 + b"[]]}",
    "a histogram": lambda: b'{"kind":"sample","bins":[' + b"[1,1]," * 8_000_000 + b"[1,1]]}",
    "a long text": lambda: b'{"kind":"sample","x":"' + b"y" * 60_000_000 + b'"}',
    "100 MB in one line": lambda: b'{"kind":"sample","x":"' + b"y" * 100_000_000 + b'"}',
    "many samples": lambda: b'{"kind":"sample"}\n' * 1_000_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_in_bounded_memory(bomb: str, honest: Lines, tmp_path: Path) -> None:
    """With 3 GiB of address space a record that would take more is refused in one line."""
    path = saved(tmp_path, honest, BOMBS[bomb]())
    told = refused("report", path, "-o", tmp_path / "out")
    assert str(path) in told
    assert not (tmp_path / "out").exists()


def test_lines_that_are_too_much_together_are_refused(
    honest: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record whose lines are all good is refused where all together would not fit memory."""
    path = saved(tmp_path, honest, *[json.dumps(honest[1]).encode()] * 100)
    needed = sum(map(lines._needed, path.read_bytes().splitlines(keepends=True)))
    monkeypatch.setattr(lines, "_room", lambda: needed)
    assert len(read(path).samples) == 103
    monkeypatch.setattr(lines, "_room", lambda: needed // 2)
    with pytest.raises(RecordError, match="too large for the memory of this machine"):
        read(path)


@pytest.mark.parametrize("command", [["report"], ["judge"], ["report", "-f", "html"]])
def test_a_hostile_file_name_is_not_obeyed(command: list[str], tmp_path: Path) -> None:
    """What a file name holds reaches standard error as replaced characters, on lines of ours."""
    path = tmp_path / "a\x1b]8;;x\x07\x9b2J\u202e\u200b\r.jsonl"
    path.write_text("{}\n")
    assert "no run header" in refused(*command, path)


#: Values of every type that JSON has, at the edges of what is read.
VALUES = st.sampled_from(
    (None, True, 0, 1, -1, 2**63 - 1, -(2**63) + 1, 10**12, 0.5, -0.5, 9e18, -9e18, 5e-324, "",
     "x", "\x1b[31m", "\ud800", "cold", [], [1], [[1, 1]], {}, {"x": 1}, {"x": None})
)  # fmt: skip


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a line."""
    found = [path] if path else []
    if isinstance(part, dict | list):
        pairs = part.items() if isinstance(part, dict) else enumerate(part[:2])
        for key, value in pairs:
            found += places(value, (*path, key))
    return found


@settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_any_change_is_shown_or_refused(honest: Lines, tmp_path: Path, data: st.DataObject) -> None:
    """Whichever values of a record are replaced, it is refused as a record or shown in full."""
    lines = copy.deepcopy(honest)
    number = data.draw(st.sampled_from((0, 1, len(lines) - 1)))
    every = places(lines[number])
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(every))
        part: Any = lines[number]
        try:
            for key in place[:-1]:
                part = part[key]
            part[place[-1]] = copy.deepcopy(data.draw(VALUES))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took its place away
    path = saved(tmp_path, lines)
    try:
        record = read(path)
    except RecordError as refusal:
        assert_short(str(refusal))
        return
    found = document(record, judge(record, CLAIMS, record.system))
    for form in ("json", "markdown", "terminal"):
        assert plugin("reporters", form)(found, width=80)


def assert_short(message: str) -> None:
    """A message is one sentence."""
    assert len(message) < 600
    assert "\n" not in message
