"""How many clients claims take, for a terminal."""

import json
import shlex
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from aibench.reporters.clean import cleaned
from aibench.reporters.clients import bound_said, counted, data_said
from aibench.reporters.console import laid_out
from aibench.units import format_rate, format_size, format_value

#: What tells one reading of a claim from another one whose answer is the same.
_OWN = frozenset({"id", "note", "value", "printed", "each", "metric", "direction", "unit"})
_FROM = {
    "given": "as given",
    "measured": "measured now with no I/O behind it: a mount costs more",
    "assumed": "assumed, as nothing could be measured",
}
_STEP = 4


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as text of at most ``width`` cells a line; only words of commands go over it."""
    return laid_out(_report(cleaned(document), width), width=width, color=color)


def _report(document: dict[str, Any], width: int) -> Iterator[RenderableType]:
    yield from _client(document)
    for claim in document["claims"]:
        yield Text()
        yield Text(f"{claim['claim']}: {claim['title']}", style="bold")
        yield _indented(_scope(claim), 1)
        for _, alike in groupby(claim["readings"], key=_answer):
            readings = list(alike)
            for reading in readings:
                yield _indented(_read(reading), 1)
            yield from _needed(claim, readings[0], width)


def _client(document: dict[str, Any]) -> Iterator[RenderableType]:
    client, assumed = document["client"], document["assumed"]
    yield Text("Clients like this one", style="bold")
    way = f"not known ({client['link_source']})"
    if client["link"]:
        share, useful = assumed["link_share"], format_rate(client["link_for_data"])
        way = f"{format_rate(client['link'])} ({client['link_source']}), {useful} of it for data: "
        way += f"the share {share:g} is assumed"
    yield _indented(f"link: {way}", 1)
    memory = client["memory_bytes"]
    held = "memory unknown" if memory is None else f"{format_size(memory)} of memory"
    yield _indented(f"{counted(client['cores'], 'core')}, {held}", 1)
    for each in client["ceilings"]:
        rate = format_value(each["operations"], "op/s")
        yield _indented(f"{each['kind']}/{each['phase']}: {rate}, {_FROM[each['source']]}", 1)
    for remark in client["remarks"]:
        yield _indented(remark, 1)
    yield _indented(
        f"together they can do {assumed['headroom']:g} times what is claimed; to refute it their "
        f"processors have to start {assumed['headroom_to_refute']:g} times as many operations",
        1,
    )


def _scope(claim: dict[str, Any]) -> str:
    defined = claim["unit_definition"] or "which the source does not define"
    if claim["whole_system"]:
        many = claim["units_in_max_config"]
        of = f"{many} of {claim['scope']}" if many else "the whole"
        return f"for {of} together ({defined})"
    return f"for one {claim['scope']} ({defined})" if claim["scope"] else "for no unit that is told"


def _answer(reading: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in reading.items() if key not in _OWN})


def _read(reading: dict[str, Any]) -> str:
    figure = f"{reading['metric']} {reading['printed']}".strip() or "no number is printed"
    of = f", of {reading['units']} at once" if reading["units"] > 1 else ""
    if reading["each"] is not None:
        of = f", {format_value(reading['each'], reading['unit'])} from each"
    return f"{reading['id']}: {figure}{of}"


def _needed(claim: dict[str, Any], reading: dict[str, Any], width: int) -> Iterator[RenderableType]:
    yield _indented(reading["said"], 2, "bold")
    for bound in reading["bounds"]:
        yield _indented(f"{bound_said(bound)}: {bound['clients']}", 2)
    if reading["by_link"]:
        told = ", ".join(
            f"{each['to_refute']} of {8 * each['link'] / 10**9:g} Gbit/s"
            for each in reading["by_link"]
        )
        sizes = reading["levels"]
        of = f" for {sizes[-1]['size']} {reading['axis']}" if sizes else ""
        yield _indented(f"clients{of} by their links: {told}", 2)
    for reason in reading["reasons"]:
        yield _indented(f"{reason['sentence']} ({reason['code']})", 2)
    if reading["answer"] in ("never", "lacking", "model") and claim["proxy"]:
        yield _indented(f"instead: {claim['proxy']}", 2)
    yield from _asked(reading)
    for command in reading["commands"]:
        yield from _command(command, width)


def _asked(reading: dict[str, Any]) -> Iterator[RenderableType]:
    """Operations, levels of accelerators, runs and data."""
    if reading["operations"]:
        yield _indented(f"{reading['operations']:,} operations or more in each run", 2)
    if reading["answer"] == "one" and reading["levels"]:
        told = ", ".join(
            f"{each['size']} take {counted(each['clients'], 'client')}"
            for each in reading["levels"] if each["clients"]
        )  # fmt: skip
        yield _indented(f"by their links, accelerators: {told or 'not known'}", 2)
    if reading["runs"]:
        yield _indented(_runs(reading), 2)
    if reading["data_bytes"]:
        yield _indented(data_said(reading), 2)


def _runs(reading: dict[str, Any]) -> str:
    if reading["answer"] == "sides":
        return f"{reading['runs']} pairs, in random order"
    if reading["answer"] == "levels":
        of = f"; of {reading['levels'][-1]['size']} units:" if reading["axis"] == "units" else ""
        return f"{reading['runs']} runs of each, 3 at least{of}"
    noisy = reading["runs_if_noisy"]
    if not noisy or noisy <= reading["runs"]:
        return f"{reading['runs']} runs"
    return f"{reading['runs']} runs where they spread by up to 3 %, {noisy} up to 5 %"


def _indented(text: str, steps: int, style: str = "") -> Table:
    table = Table.grid()
    table.add_column(width=steps * _STEP // 2, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("", Text(text, style=style))
    return table


def _command(command: str, width: int) -> Iterator[Text]:
    """A command line, broken as a shell takes it, not between an option and its value."""
    begin, more = " " * (2 * _STEP - 2), " " * (2 * _STEP)
    line = begin
    for word in _joined(command):
        if line.strip() and len(line) + len(word) + 3 > width:
            yield _verbatim(f"{line} \\")
            line = more
        line += word if not line.strip() else f" {word}"
    yield _verbatim(line)


def _verbatim(line: str) -> Text:
    return Text(line, no_wrap=True, overflow="ignore", style="cyan")


def _joined(command: str) -> list[str]:
    """The words of a command, options with their values in one."""
    found: list[str] = []
    for word in map(shlex.quote, shlex.split(command)):
        if found and found[-1].startswith("-") and " " not in found[-1] and word[0] != "-":
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found
