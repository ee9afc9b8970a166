"""Reports of comparisons: whole texts against files, hostile texts, the page in a browser."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aibench.compare import Entrant, Rules, compare
from aibench.model import Finding
from aibench.model.comparison import Comparison
from aibench.registry import BUILT_IN, plugin
from aibench.reporters import comparison_html
from aibench.reporters.comparison_html import drawn
from aibench.reporters.comparisons import comparison_document, printed_ratio, printed_share
from aibench.reporters.html import plotly_source
from tests import build
from tests.compare.sides import entrant, target, warned
from tests.reporters.golden import assert_golden
from tests.reporters.hostile import HOSTILE as TEXT
from tests.reporters.test_browser import CHROMIUM, opened, profile

__all__ = ["profile"]
TEMPLATES = Path(comparison_html.__file__).parent / "templates"
FAST = (1100.0, 1120.0, 1090.0, 1105.0, 1110.0, 1095.0)
SLOW = (1000.0, 1010.0, 990.0, 1005.0, 1000.0, 1001.0)
NOISY = (900.0, 1250.0, 1001.0, 1130.0, 960.0, 1010.0)


def duel() -> Comparison:
    """Three sides: a fast one, a slow one, and one that is noisy, with prices of two."""
    priced = build.system(power_watts=500.0, price=3000.0, currency="USD")
    sides = (
        entrant("a", FAST, priced),
        entrant("b", SLOW, replace(priced, price=2000.0)),
        warned(entrant("c", NOISY), "client_bound", "busy_client", "short_run"),
    )
    found = compare(sides, Rules(), paired=True)
    missing = Finding(code="incomplete_pair", message="pair 7 is left out: c was not measured")
    return replace(found, duel="d0e1", declared=7, missing=(missing,))


def rendered(comparison: Comparison, form: str, **options: Any) -> str:
    """A comparison in one format, without what its page has from elsewhere."""
    text: str = plugin("comparisons", form)(comparison_document(comparison), **options)
    for name in ("report.css", "report.js"):
        text = text.replace((TEMPLATES / name).read_text(), f"/* {name} */")
    text = re.sub(r"script-src .*?; style-src", "script-src HASHES; style-src", text)
    return text.replace(plotly_source().decode(), "/* plotly */")


@pytest.mark.parametrize(
    ("form", "name"),
    [("terminal", "txt"), ("markdown", "md"), ("json", "json"), ("html", "html")],
)
def test_a_duel_as_a_whole(form: str, name: str) -> None:
    """The report of a duel of three is compared as a whole with a file, in each format."""
    assert_golden(f"duel.{name}", rendered(duel(), form))


def test_runs_one_after_the_other_as_a_whole() -> None:
    """The report of runs that nothing pairs says what they can't tell."""
    sides = entrant("a", FAST), entrant("b", SLOW)
    assert_golden("sequential.txt", rendered(compare(sides, Rules(), paired=False), "terminal"))


@pytest.mark.parametrize("form", list(BUILT_IN["comparisons"]))
def test_the_same_comparison_gives_the_same_bytes(form: str) -> None:
    """No clock and no random name is in a report of a comparison."""
    assert rendered(duel(), form) == rendered(duel(), form)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Lines keep to the width that was asked for."""
    assert max(map(len, rendered(duel(), "terminal", width=width).splitlines())) <= width


def hostile(text: str) -> Comparison:
    """A duel in which every text that a user or a record gives is ``text``."""

    def side(key: str, rates: tuple[float, ...]) -> Entrant:
        system = build.system(vendor=text, product=text, currency=text, price=1.0)
        found = entrant(key, rates, system)
        mount = target(key, label=text, path=text, source=text + key, options=(text,))
        plan = build.plan(build.stage(workload=text, phases=(build.phase(name=text),), repeats=1))
        runs = tuple(
            replace(each, target=mount, plan=plan, run_id=each.run_id + text,
                    samples=tuple(replace(s, workload=text, phase=text) for s in each.samples))
            for each in found.runs
        )  # fmt: skip
        return warned(replace(found, runs=runs), "client_bound")

    found = compare((side("a", FAST), side("b", SLOW)), Rules(), paired=True)
    return replace(found, duel=text, notes=(Finding(code="x", message=text),))


def test_hostile_texts_stay_texts() -> None:
    """No text of a record adds an element, a link, a colour or a line to a report."""
    page, harmless = (rendered(hostile(text), "html") for text in (TEXT, "text"))
    count = re.compile(r"<(?:[a-z]+|/[a-z]+)[ >]")
    assert len(count.findall(page)) == len(count.findall(harmless))
    assert page.count("<script") == 3
    shown = rendered(hostile(TEXT), "terminal")
    assert "\x1b" not in shown
    assert json.loads(rendered(hostile(TEXT), "json"))["duel"] == TEXT
    lines = [rendered(hostile(text), "markdown").count("\n") for text in (TEXT, "text")]
    assert lines[0] == lines[1]


def test_the_forest_has_a_line_for_each_answer() -> None:
    """Each ratio is drawn with its interval, turned so that right is better for the first."""
    figure = drawn(comparison_document(duel()))
    assert figure is not None
    assert len(figure["data"]) == 12
    rate, latency = figure["data"][0], figure["data"][6]
    assert rate["x"][0] == pytest.approx(latency["x"][0], abs=1e-4)
    assert rate["x"][0] > 0
    ends = [t["x"][0] + t["error_x"]["array"][0] for t in figure["data"]]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low == -high
    assert max(ends) <= high
    (band, _) = figure["layout"]["shapes"]
    assert (band["x0"], band["x1"]) == pytest.approx((-0.04879, 0.04879), abs=1e-5)


def test_a_comparison_of_nothing_has_no_forest() -> None:
    """Where no ratio is known there is a page all the same."""
    lone = compare((entrant("a", FAST[:1]), entrant("b", SLOW[:1])), Rules(), paired=True)
    assert drawn(comparison_document(lone)) is None
    assert "inconclusive" in rendered(lone, "html")


def test_ratios_show_a_tenth_of_a_percent() -> None:
    """Ratios have four digits, differences two, and what is more than double is a factor."""
    assert [printed_ratio(x) for x in (0.0, 0.001, -0.1, 3.0)] == [
        "1.000", "1.001", "0.9048", "20.09",
    ]  # fmt: skip
    assert [printed_share(x) for x in (0.0488, -0.0488, 1.0)] == ["5 %", "5 %", "2.7×"]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
class TestInABrowser:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_the_forest_is_drawn(self, dark: bool, tmp_path: Path, profile: Path) -> None:
        """The page opens with the network cut, draws its forest, and logs no error."""
        options = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ()
        text = plugin("comparisons", "html")(comparison_document(duel()))
        seen = opened(text, tmp_path, profile, *options)
        assert (seen.console, seen.errors) == ([], [])
        assert (seen.plots, seen.scheme) == (1, "dark" if dark else "light")
        assert seen.drawn >= 1

    def test_hostile_texts_run_no_script(self, tmp_path: Path, profile: Path) -> None:
        """Script in every text is shown, and nothing of it is run."""
        text = plugin("comparisons", "html")(comparison_document(hostile(TEXT)))
        seen = opened(text, tmp_path, profile)
        assert (seen.console, seen.errors, seen.plots) == ([], [], 1)
