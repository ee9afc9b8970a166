"""Sweeps in reports: how rates grow, up to where, and what makes that look better than it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aibench.model import CacheState, RunRecord
from aibench.reporters import growing, heatmap, html, json, markdown, terminal
from aibench.reporters.document import document
from tests import build
from tests.reporters import records
from tests.sweeping import MB, swept
from tests.test_judge import finding

SIX = (1, 2, 4, 8, 16, 32)


def law(n: int) -> float:
    """A rate with 3 % of contention, and a little coherence."""
    return 120 * MB * n / (1 + 0.03 * (n - 1) + 0.0008 * n * (n - 1))


def shape(block: int, jobs: int) -> float:
    """A rate that grows with both, up to a limit."""
    return min(30 * MB * jobs * (block / 4096) ** 0.7, 3e9)


GRID: dict[str, Any] = {"random_block": ("4096", "65536", "1048576"), "jobs": (1, 2)}


def workload(run: RunRecord) -> dict[str, Any]:
    """The one workload of a report."""
    found: dict[str, Any] = document(run, ())["workloads"][0]
    return found


def lead(run: RunRecord) -> dict[str, Any]:
    """The curve that leads."""
    curve: dict[str, Any] = next(c for c in workload(run)["sweep"]["curves"] if c["leads"])
    return curve


def told(run: RunRecord) -> str:
    """The sentences on growth."""
    return " ".join(growing.sentences(workload(run)))


def test_growth_has_an_exponent_efficiencies_and_a_knee() -> None:
    """The exponent has its interval, each level its efficiency, and the words say how far."""
    run = swept({"jobs": SIX}, law)
    curve = lead(run)
    found = curve["scaling"]
    assert found["low"] < found["exponent"] < found["high"] < 1
    assert found["bends"]
    shares = {step["level"]: step["efficiency"]["value"] for step in found["efficiency"]}
    assert shares == pytest.approx({n: law(n) / law(1) / n for n in SIX}, rel=0.03)
    assert found["knee"] == 4
    assert "up to 4, the knee (by the intervals up to somewhere from 2 to 4)." in told(run)
    assert "Nothing is said of what lies beyond the levels" in told(run)
    falling = told(swept({"jobs": (1, 2, 4)}, lambda n: 1e9 / n))
    assert "from 1 to 4 it falls as jobs to the power -1" in falling
    assert "bends: one power does not describe it" in told(run)


def test_a_time_has_an_exponent_and_no_efficiency() -> None:
    """How a latency changes over the levels is told as well, in the document."""
    curves = workload(swept({"jobs": (1, 2, 4, 8)}, lambda n: 1e8))["sweep"]["curves"]
    slower = next(curve for curve in curves if curve["metric"] == "latency_p99")
    assert slower["scaling"]["exponent"] == pytest.approx(1, abs=0.05)
    assert (slower["leads"], slower["scaling"]["efficiency"]) == (False, None)


def test_the_law_of_scalability_takes_six_levels() -> None:
    """From six levels on the chart has the curve of the law; below it has none."""
    curve = lead(swept({"jobs": SIX}, law))
    assert curve["usl"]["contention"] == pytest.approx(0.03, abs=0.01)
    assert curve["usl"]["coherence"] == pytest.approx(0.0008, abs=0.0003)
    assert lead(swept({"jobs": SIX[:5]}, law))["usl"] is None


def test_growth_in_proportion_keeps_all() -> None:
    """What grows as the number of workers has the exponent 1, and keeps 90 % throughout."""
    run = swept({"workers": (1, 2, 4)}, lambda n: 100 * MB * n, sigma=0.001)
    assert lead(run)["scaling"]["exponent"] == pytest.approx(1, abs=0.005)
    assert "90 % or more is kept throughout." in told(run)
    noisy = swept({"workers": (1, 2, 4)}, lambda n: 100 * MB * n, sigma=0.2)
    assert "(by the intervals up to somewhere from 1 to " in told(noisy)
    flat = swept({"workers": (1, 2, 4)}, lambda n: 100 * MB)
    assert "90 % or more is not kept beyond 1" in told(flat)


def test_a_size_has_no_efficiency() -> None:
    """Blocks of twice the size are not twice as many of anything: there is only the power."""
    curve = lead(swept({"random_block": ("4096", "65536", "1048576")}, lambda b: 1e6 * b**0.5))
    assert curve["scaling"]["exponent"] == pytest.approx(0.5, abs=0.02)
    assert (curve["scaling"]["efficiency"], curve["scaling"]["knee"]) == (None, None)
    names = [trace["name"] for trace in (growing.chart(curve) or {})["data"]]
    assert len(names) == 2
    assert names[1].startswith("power 0.4")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: swept({"jobs": (1, 2)}, law), "growth takes 3 levels, here are 2"),
        (lambda: swept({"jobs": (1, 2, 4)}, law, repeats=1), "growth takes 2 repeats that count"),
    ],
)
def test_too_little_shows_no_growth(made: Callable[[], RunRecord], words: str) -> None:
    """Two levels, or one repeat, have figures and no exponent; the report says what it takes."""
    run = made()
    assert lead(run)["scaling"] is None
    assert words in told(run)
    assert growing.chart(lead(run)) is not None


def changed(run: RunRecord, level: str, **changes: Any) -> RunRecord:
    """A run in which the samples of one level are others."""
    samples = (replace(s, **changes) if s.phase.endswith(level) else s for s in run.samples)
    return replace(run, samples=tuple(samples))


def test_a_client_bound_level_is_named() -> None:
    """At the smallest level it makes the growth look better, at the largest it hides more."""
    run = swept({"jobs": (1, 2, 4)}, lambda n: 100 * MB * n**1.2)
    bound = {"warnings": (finding("client_bound"),)}
    small = told(changed(run, "=1", **bound))
    assert "at jobs=1 the client may have been the limit: the growth from there looks" in small
    assert "more than in proportion" in small
    assert "it may grow further" in told(changed(run, "=4", **bound))
    assert "this may be how the client grows" in told(changed(run, "", **bound))
    assert "the client" not in told(run)


def test_hosts_tell_whether_the_load_grows_with_them() -> None:
    """Where each host brings its workers that is weak scaling; with the same work it is strong."""
    run = swept({"hosts": (1, 2, 4)}, lambda n: 1e8 * n)
    assert "the same load is spread over more hosts (strong scaling)" in told(run)
    phases = (replace(p, processes=p.levels[0].value) for p in run.plan.stages[0].phases)
    stage = replace(run.plan.stages[0], phases=tuple(phases))
    grown = replace(run, plan=replace(run.plan, stages=(stage,)))
    assert "so the load grows with them (weak scaling)" in told(grown)


def test_levels_from_other_caches_are_not_one_curve() -> None:
    """Where one level came from memory and the others from storage, no line goes through both."""
    run = swept({"jobs": (1, 2, 4)}, law)
    warm = changed(run, "=2", evidence=build.evidence(state=CacheState.WARM))
    assert lead(warm)["scaling"] is None
    assert "the caches were cold at some levels and warm at others" in told(warm)
    unknown = changed(run, "=2", evidence=build.evidence(state=CacheState.UNKNOWN))
    assert lead(unknown)["scaling"] is not None
    assert "at jobs=2 it is not known what the caches held" in told(unknown)


def test_the_chart_stays_within_what_was_tested() -> None:
    """Points, line in proportion, power and law end at the largest level; ticks are the levels."""
    figure = growing.chart(lead(swept({"jobs": SIX}, law)))
    assert figure is not None
    assert len(figure["data"]) == 4
    for trace in figure["data"]:
        assert (min(trace["x"]), max(trace["x"])) == (1, pytest.approx(32))
    assert figure["layout"]["xaxis"]["ticktext"] == ["1", "2", "4", "8", "16", "32"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "GB/s"
    spread = figure["data"][0]["error_y"]
    assert all(end > 0 for end in (*spread["array"], *spread["arrayminus"]))


@pytest.mark.parametrize("power", [0.01, 0.2, 1.0, 3.0])
def test_a_chart_has_ticks_to_read(power: float) -> None:
    """However flat or steep the growth is, three to twelve ticks lie within the values."""
    figure = growing.chart(lead(swept({"jobs": (2, 4, 8)}, lambda n: 1e8 * n**power, repeats=2)))
    assert figure is not None
    axis = figure["layout"]["yaxis"]
    shown = [y for trace in figure["data"] for y in trace["y"]]
    inside = [tick for tick in axis["tickvals"] if min(shown) * 0.9 <= tick <= max(shown) * 1.1]
    assert 3 <= len(inside) <= 12
    assert len(axis["tickvals"]) == len(axis["ticktext"])


def test_two_settings_make_a_grid() -> None:
    """Each pair of levels is a cell with its value; the setting with fewer levels has columns."""
    run = swept(GRID, shape, sigma=0.001)
    (grid,) = heatmap.grids(workload(run))
    assert (grid.row, grid.column) == ("random_block", "jobs")
    assert (grid.rows, grid.columns) == (("4KiB", "64KiB", "1MiB"), ("1", "2"))
    assert grid.values[0] == pytest.approx((30e6, 60e6), rel=0.01)
    figure = heatmap.figure(grid)
    assert figure is not None
    (trace,) = figure["data"]
    assert trace["z"][0][1] > trace["z"][0][0]
    assert trace["text"][0] == [cell.replace(" ", "<br>") for cell in heatmap.cells(grid)[0]]
    assert "at random_block=1MiB, jobs=2" in " ".join(heatmap.sentences(workload(run)))
    assert lead(run)["scaling"] is None


def test_a_cell_that_was_not_measured_is_missing() -> None:
    """A run that ended early has a hole in its grid, never a 0."""
    run = swept(GRID, shape)
    few = replace(run, samples=tuple(s for s in run.samples if not s.phase.endswith("MiB,jobs=2")))
    (grid,) = heatmap.grids(workload(few))
    assert grid.values[2][1] is None
    assert heatmap.cells(grid)[2][1] == "–"
    assert heatmap.figure(grid)["data"][0]["z"][2][1] is None  # type: ignore[index]
    assert "–" in terminal.render(document(few, ()))


@pytest.mark.parametrize(
    "made",
    [
        lambda: swept({"jobs": SIX}, law, repeats=2),
        lambda: swept(GRID, shape, repeats=2),
        lambda: swept(
            {"jobs": range(1, 8), "threads": range(1, 8)}, lambda a, _: 1e9 * a, repeats=1
        ),
    ],
    ids=["one", "grid", "wide"],
)
def test_a_terminal_of_80_columns_holds_it(made: Callable[[], RunRecord]) -> None:
    """No line is longer, levels of a question are told together, and wide grids are cut."""
    run = made()
    text = terminal.render(document(run, ()))
    assert max(map(len, text.splitlines())) <= 80
    levels = len(run.plan.stages[0].measured)
    assert f"rand-read at all {levels} levels: steady in all repeats." in " ".join(text.split())
    assert f"({levels} levels of " in " ".join(text.split())


def test_markdown_has_the_tables() -> None:
    """A pull request sees level, figure and efficiency, and the grid of two settings."""
    text = markdown.render(document(swept({"jobs": SIX}, law), ()))
    assert "| jobs | rand-read, read bandwidth | n | Efficiency \\[95 %\\] |" in text
    assert "#### block: how it grows" in text
    grid = markdown.render(document(swept(GRID, shape), ()))
    assert "| random\\_block \\\\ jobs | 1 | 2 |" in grid


def test_the_page_has_chart_and_grid() -> None:
    """The HTML report draws growth above the phases; a grid is one row among the results."""
    text = html.render(document(swept({"jobs": SIX}, law), ()))
    assert "rand-read: read bandwidth over jobs</figcaption>" in text
    efficiency = growing.rows(lead(swept({"jobs": SIX}, law)))[2][3]
    assert f"<td>{efficiency}</td>" in text
    grid = html.render(document(swept(GRID, shape), ()))
    assert "rand-read, read bandwidth, as a table</summary>" in grid
    assert grid.count('<a href="#levels-0">block, rand-read</a>') == 1
    assert grid.count("<details><summary>All 6 phases one by one") == 1
    assert '"type":"heatmap"' in grid


def test_a_run_without_a_sweep_has_no_part_about_one() -> None:
    """Nothing changes in the document of other runs."""
    found = document(records.many(), ())["workloads"]
    assert all("sweep" not in workload for workload in found)
    assert all("levels" not in phase for workload in found for phase in workload["phases"])
    assert '"sweep"' not in json.render(document(records.missing(), ()))


def test_strange_levels_are_shown_as_text() -> None:
    """A record with levels that no sweep makes renders in every format, and runs no markup."""
    run = swept({"<b>${x}": (1, 2, 4)}, law)
    phases = list(run.plan.stages[0].phases)
    phases[1] = replace(phases[1], levels=(*phases[0].levels, *phases[1].levels))
    stage = replace(run.plan.stages[0], phases=tuple(phases))
    strange = document(replace(run, plan=replace(run.plan, stages=(stage,))), ())
    assert "<b>$" not in html.render(strange).partition("<main>")[2]
    for form in (terminal, markdown, json):
        assert form.render(strange)
