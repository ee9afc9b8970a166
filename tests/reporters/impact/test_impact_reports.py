"""Reports of a projection: one document, and every format of it."""

import json
import re
from html import unescape
from typing import Any

import pytest

from aibench.cluster import Range
from aibench.cluster.study import ASSUMPTIONS, Wish
from aibench.impact import impact
from aibench.reporters.html import plotly_source
from aibench.reporters.impact import document, html, terminal, words
from aibench.reporters.impact import json as as_json
from aibench.reporters.impact.document import UNBOUNDED_WORD
from tests import projecting
from tests.projecting import cluster, given
from tests.reporters.golden import assert_golden
from tests.test_impact import shipped


def compared() -> dict[str, Any]:
    """A measured candidate against an assumed baseline, with a gain to reach."""
    rest = given(
        nodes=125, parameters=1e12, fixed_restart=Range(low=300, typical=600, high=1200),
        baseline_write=Range(low=0.4e9, typical=0.5e9, high=0.6e9), baseline_load=600,
        useful_time=720 * 3600,
    )  # fmt: skip
    measured = [projecting.saving(5, 5.5, 5), projecting.loading(2, 2, 2)]
    return document(impact(rest, candidate=measured, wish=Wish(gain=1.3, source="--needs-gain")))


def hopeless() -> dict[str, Any]:
    """A storage on which the job makes no progress, and one on which it does."""
    return document(
        impact(given(mtbf=3600, checkpoint_bytes=5e12, candidate_write=1e12, baseline_write=1e9))
    )


def alone() -> dict[str, Any]:
    """One storage with nothing to compare it with."""
    return document(impact(given(mtbf=11124, checkpoint_bytes=5.68e12, candidate_write=2e12)))


def numbers(part: Any) -> list[dict[str, Any]]:
    """All numbers with a unit in a document."""
    if isinstance(part, dict):
        own = [part] if {"value", "unit"} <= part.keys() else []
        return own + [found for each in part.values() for found in numbers(each)]
    return [found for each in part for found in numbers(each)] if isinstance(part, list) else []


@pytest.mark.parametrize("make", [compared, hopeless, alone])
def test_the_document_is_json_in_base_units(make: Any) -> None:
    """Each number has unit and print, nothing is NaN or infinite, and each input its origin."""
    derived = make()
    again = json.loads(as_json.render(derived))
    assert (again["kind"], again["format"]) == ("impact", 1)
    assert {each["unit"] for each in numbers(again)} <= {"B/s", "B", "ns", "share", "1", "1/d"}
    assert all(each["printed"] for each in numbers(again))
    assert {each["origin"] for each in again["inputs"]} <= {"measured", "assumed", "solved"}
    assert again["assumptions"] == list(ASSUMPTIONS)
    losses = [
        again["candidate"][f"{part}_loss"]["value"] for part in ("checkpoint", "rework", "restart")
    ]
    assert sum(losses) + again["candidate"]["goodput"]["value"] == pytest.approx(1)


def test_measured_and_assumed() -> None:
    """The document says what it is projected from, as a whole and for each storage."""
    derived = compared()
    assert derived["basis"] == "measured and assumed"
    assert derived["candidate"]["basis"] == "measured and assumed"
    assert derived["baseline"]["basis"] == "assumed"
    write = next(each for each in derived["inputs"] if each["name"] == "candidate_write")
    assert (write["origin"], write["unit"]) == ("measured", "B/s")
    assert write["low"] < write["typical"] < write["high"]


@pytest.mark.parametrize("name", ["compared", "hopeless", "alone"])
def test_the_terminal_report(name: str) -> None:
    """The report for a terminal is as in the files beside, and fits 80 columns."""
    text = terminal.render(globals()[name]())
    assert max(map(len, text.splitlines())) <= 80
    assert_golden(f"impact_{name}.txt", text)


def test_no_progress_is_said_in_words() -> None:
    """Where a storage lets nothing progress, the report says so, and gains have no bound."""
    text = terminal.render(hopeless())
    assert "makes no progress" in text
    assert "there is no bound to the gain" in " ".join(text.split())
    assert UNBOUNDED_WORD in terminal.render(compared())
    assert "inf" not in re.findall(r"[a-z]+", text)


def test_a_terminal_report_in_colour() -> None:
    """Colour changes no word."""
    plain, colored = (terminal.render(compared(), color=c) for c in (False, True))
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


@pytest.mark.parametrize("make", [compared, hopeless, alone])
def test_the_page_is_whole_and_fetches_nothing(make: Any) -> None:
    """One page with its own policy, both plots, all inputs, and no address outside of scripts."""
    derived = make()
    page = html.render(derived)
    own = page.replace(plotly_source().decode(), "")
    assert 'id="goodput"' in own
    assert ('id="swings"' in own) == bool(
        json.loads(own.split('id="figures">')[1].split("<")[0]).get("swings")
    )
    assert "default-src 'none'" in unescape(own)
    assert not re.findall(r'(?:src|href)="(?!data:)', own)
    for each in derived["inputs"]:
        assert each["title"] in own
    assert page == html.render(derived)


def test_a_hostile_source_is_text() -> None:
    """Texts from files and claims are shown as text, in a page and on a terminal."""
    inputs = cluster()
    for name, each in list(inputs.items()):
        inputs[name] = type(each)(
            name=each.name, range=each.range, origin=each.origin,
            source="<script>alert(1)</script>\x1b[31m",
        )  # fmt: skip
    derived = document(impact(inputs))
    assert "<script>alert" not in html.render(derived)
    assert "\x1b" not in terminal.render(derived)


def test_the_plots() -> None:
    """What was measured lies on the curve, with its interval; the widest range comes first."""
    derived = compared()
    figures = json.loads(html.render(derived).split('id="figures">')[1].split("</script>")[0])
    curve, soonest, candidate, baseline = figures["goodput"]["data"]
    place = curve["x"].index(candidate["x"][0])
    assert curve["y"][place] == pytest.approx(candidate["y"][0], abs=0.01)
    assert candidate["error_x"]["array"][0] > 0
    assert "measured" in candidate["name"]
    assert "assumed" in baseline["name"]
    assert soonest["line"]["dash"] != curve["line"]["dash"]
    widths = [abs(bar["x"][1] - bar["x"][0]) for bar in figures["swings"]["data"]]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(
    ("changes", "wish", "sentence"),
    [
        ({}, Wish(gain=1.3), "needs a baseline that writes at 25.5 GB/s"),
        ({}, Wish(gain=1.3), "This baseline writes at 20.0 GB/s and stalls it for 11 min 40 s"),
        ({"faster": 1, "load_faster": 1}, Wish(gain=1.3), "there is not"),
        ({"baseline_extra_restart": 9000}, Wish(gain=1.01), "needs no slow baseline"),
        ({"useful_time": 2.6e6}, Wish(saves=36000), "the candidate leaves 74.4 %"),
        ({"useful_time": 2.6e6}, Wish(saves=1e8), "no storage could"),
    ],
)
def test_what_a_wish_needs(changes: dict[str, float], wish: Wish, sentence: str) -> None:
    """What a gain or saved hours need is one sentence in every format, with what there is."""
    inputs = cluster(**changes)
    if "baseline_extra_restart" in changes:
        inputs |= given(candidate_extra_restart=0)
    derived = document(impact(inputs, wish=wish))
    assert sentence in derived["wish"]["sentence"]
    assert sentence in " ".join(terminal.render(derived).split())
    assert sentence in unescape(html.render(derived))


@pytest.mark.parametrize("claim", ["HX-01", "MT-06"])
def test_a_claim_in_reports(claim: str) -> None:
    """A claim is quoted with its readings, each in a word that is no verdict."""
    derived = document(impact({}, claim=shipped(claim)))
    text, page = terminal.render(derived), html.render(derived)
    assert derived["claim"]["readings"]
    for each in derived["claim"]["readings"]:
        assert each["status"] not in ("MET", "NOT_MET")
        assert words.VERDICTS[each["status"]] in " ".join(text.split())
        assert each["claimed"]["printed"] in page
    assert words.NOT_A_VERDICT in unescape(page)


def test_neither_storage_lets_the_job_progress() -> None:
    """Two hopeless storages have no gain, and the report says that nothing progresses."""
    derived = document(
        impact(given(mtbf=3600, checkpoint_bytes=5e12, candidate_write=1.2e9, baseline_write=1e9))
    )
    assert derived["gain"] is None
    assert "makes no progress on this storage" in " ".join(terminal.render(derived).split())
    html.render(derived)
