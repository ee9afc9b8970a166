"""The report as one HTML file that opens with no network, and runs no script but its own."""

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from aibench.reporters import (
    alternating,
    asking,
    belonging,
    beside,
    conditions,
    feeding,
    figures,
    folding,
    growing,
    heatmap,
    hosts,
    hosts_plots,
    sizing,
    soaking,
    spread,
    steadiness,
    sweep,
    wording,
)
from aibench.reporters.clean import cleaned
from aibench.reporters.compiled import Compiled
from aibench.reporters.meanwhile import meanwhile
from aibench.reporters.overtime import overtime

_TEMPLATES = Path(__file__).parent / "templates"
#: Characters that could end a script element or a line of script, as JSON may write them too.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
#: Where plotly's script goes; what is escaped can't hold it.
_PLACE = "<plotly>"
_PLOTS = {
    "soak": ("Throughput over the whole soak", soaking.whole),
    "throughput": ("Throughput over time", figures.throughput),
    "meanwhile": ("Throughput, and the client meanwhile", meanwhile),
    "overtime": ("Latency over time", overtime),
    "latency": ("Latency by share of operations", figures.latency),
    "hosts": ("Rate of each host", hosts_plots.rates),
    "ends": ("First and last done of each host", hosts_plots.ends),
    "workers": ("Spread over the workers, first and last done", spread.spread),
}


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as one page: light and dark, screen and print, the same bytes each time.

    ``width`` and ``color`` are the reader's affair here. Nothing is fetched; the page's own
    policy forbids it, and forbids every script but the two that it names by their hash.
    """
    del width, color
    return b"".join(pieces(document)).decode()


def pieces(document: dict[str, Any]) -> tuple[bytes, ...]:
    """The page of `render` in UTF-8 and in pieces, for a file: plotly's script is not copied."""
    shown = cleaned(document)
    drawn = _figures(shown)
    return _pieces(
        _environment().get_template("report.html.j2"),
        {name: figure for name, (_, figure) in drawn.items()},
        document=shown,
        told=folding.told(shown["verdicts"]),
        folded=tuple(folding.folded(shown["verdicts"])),
        sized=tuple(sizing.lines(shown["sizing"], divided=False)),
        plots=_places(drawn),
    )


def page(template: Template, drawn: Mapping[str, figures.Figure], **given: Any) -> str:
    """``template`` with what is ``given``, the figures ``drawn``, and the scripts for them."""
    return b"".join(_pieces(template, drawn, **given)).decode()


def _pieces(
    template: Template, drawn: Mapping[str, figures.Figure], **given: Any
) -> tuple[bytes, ...]:
    """What is before plotly's script, the script, which is some megabytes, and what follows."""
    script, plotly = (_TEMPLATES / "report.js").read_bytes(), plotly_source()
    text = template.render(
        figures=embedded(drawn),
        css=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        script=script.decode(),
        plotly=_PLACE,
        policy=policy(plotly, script),
        **given,
    )
    before, after = text.encode("utf-8", errors="replace").split(_PLACE.encode())
    return before, plotly, after


@cache
def plotly_source() -> bytes:
    """Plotly's own script in UTF-8, read without importing plotly."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is a dependency of aibench and is not installed")
    return (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes().strip()


def embedded(value: Any) -> str:
    """``value`` as JSON that stays inside a script element, whatever its texts hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_ESCAPES)


def _figures(document: dict[str, Any]) -> dict[str, tuple[str, figures.Figure]]:
    """Each plot's place in the page, with its caption and figure; empty plots are left out."""
    found: dict[str, tuple[str, figures.Figure]] = {}
    margins = figures.margins(document["verdicts"])
    if margins is not None:
        found["margins"] = ("Measured over claimed", margins)
    for number, workload in enumerate(document["workloads"]):
        for place, phase in enumerate(workload["phases"]):
            for name, (caption, draw) in _PLOTS.items():
                if (figure := draw(phase)) is not None:
                    found[f"{name}-{number}-{place}"] = (caption, figure)
        found |= _whole(number, workload)
    return found


def _whole(number: int, workload: dict[str, Any]) -> dict[str, tuple[str, figures.Figure]]:
    """The plots of what all phases of a workload show together."""
    drawn = {
        **{f"growth{place}-{number}": (_over(curve), growing.chart(curve))
           for place, curve in enumerate(growing.leading(workload, 1))},
        **{f"grid{place}-{number}": (f"{grid.title}, typical", heatmap.figure(grid))
           for place, grid in enumerate(heatmap.grids(workload))},
        f"sweep-{number}-0": ("Latency at the rate that was done", sweep.curve(workload["phases"])),
    }  # fmt: skip
    return {name: (caption, figure) for name, (caption, figure) in drawn.items() if figure}


def _over(curve: dict[str, Any]) -> str:
    """What a chart of growth shows."""
    return f"{curve['question']}: {curve['title']} over {curve['axes'][0]['name']}"


def _places(drawn: dict[str, tuple[str, figures.Figure]]) -> dict[str, list[dict[str, Any]]]:
    """The plots of each phase, by ``workload-phase`` number; the claims' plot by its name."""
    places: dict[str, list[dict[str, Any]]] = {}
    for name, (caption, figure) in drawn.items():
        _, _, phase = name.partition("-")
        height = figure["layout"].get("height", 300)
        plot = {"id": name, "caption": caption, "height": height}
        places.setdefault(phase or name, []).append(plot)
    return places


def _told(workload: dict[str, Any]) -> list[str]:
    """What all phases of a workload say together."""
    phases = workload["phases"]
    swept = (*growing.sentences(workload), *heatmap.sentences(workload))
    return [*swept, *feeding.fed(phases), *soaking.sentences(phases), *sweep.sentences(phases)]


def templates() -> Environment:
    """The templates of all pages: texts are escaped, and a name that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.bytecode_cache = Compiled(environment)
    return environment


@cache
def _environment() -> Environment:
    environment = templates()
    environment.globals |= {
        "w": wording, "asked": asking.asked, "fed": _told, "beside": alternating.sentences,
        "implied": beside.implied, "around": beside.around, "belonging": belonging.belonging,
        "growths": lambda workload: growing.leading(workload, 1), "growth_rows": growing.rows,
        "grids": heatmap.grids, "grid_cells": heatmap.cells,
    }  # fmt: skip
    environment.filters["tools"] = _tools
    environment.filters["evidence"] = _evidence
    environment.filters["compared"] = conditions.summary
    environment.globals["states"] = conditions.WORDS
    environment.filters["shell"] = shlex.join
    environment.filters["told"] = hosts.told
    environment.globals["hosts"] = hosts
    environment.filters["steadiness"] = steadiness.sentence
    return environment


def _evidence(phase: dict[str, Any]) -> list[str]:
    """What is known of the caches, each sentence once with the repeats that it is about."""
    about: dict[str, list[int]] = {}
    for sample in phase["samples"]:
        found = sample["evidence"]
        if found:
            looked = f"{found['resident_files']} of {found['files']} files"
            method = f"{found['resident_method']} on {looked}" if found["resident_method"] else ""
            parts = (found["reason"], method, found["delivered_source"])
            text = "; ".join(filter(None, parts))
            before = f" Before the phase: {found['eviction']}." if found["eviction"] else ""
            about.setdefault(f"{text}.{before}", []).append(sample["repeat"])
    return [f"{wording.repeats(which).capitalize()}: {text}" for text, which in about.items()]


def _tools(phase: dict[str, Any]) -> list[dict[str, Any]]:
    """What really ran, once where all repeats ran the same."""
    found: list[dict[str, Any]] = []
    for sample in phase["samples"]:
        if sample["tool"] and sample["tool"] not in found:
            found.append(sample["tool"])
    return found


def policy(*scripts: bytes) -> str:
    """The page's content security policy: its own scripts by hash, and nothing from outside."""
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        f"img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: bytes) -> str:
    """The hash of a script element that has ``script`` on lines of its own."""
    digest = hashlib.sha256(b"\n")
    digest.update(script)
    digest.update(b"\n")
    return base64.b64encode(digest.digest()).decode()
