import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aibench.history import check, histories, rows, trend
from aibench.impact import impact
from aibench.reporters import checks, checks_html, trends, trends_html
from aibench.reporters.document import document
from aibench.reporters.html import render
from aibench.reporters.impact import document as described
from aibench.reporters.impact import html as projected
from tests import build, past, projecting
from tests.reporters import hostile, records, together, verdicts
from tests.sweeping import swept

#: The shell without a screen is the same browser and takes less time to start.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
#: No network: a proxy at a port where nothing listens, and no look-up of names.
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--proxy-server=127.0.0.1:9",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--v=0",
    "--dump-dom",
)
#: A window in which every plot of a long page is in sight, and so is drawn; of few dots.
_TALL = ("--window-size=1280,24000", "--force-device-scale-factor=0.25")


class Seen:
    """What a browser made of a page: the document after its scripts, and the console."""

    def __init__(self, dom: str, log: str) -> None:
        self.dom = dom
        self.console = re.findall(r"CONSOLE.*", log)
        self.errors = re.findall(r'data-errors="([^"]*)"', dom)
        self.plots = int((re.findall(r'data-plots="(\d+)"', dom) or ["0"])[0])
        self.drawn = len(re.findall(r'class="main-svg"', dom))
        self.drawn_at_once = int((re.findall(r'data-drawn="(\d+)"', dom) or ["0"])[0])
        self.scheme = (re.findall(r'data-scheme="(\w+)"', dom) or [""])[0]
        self.title = (re.findall(r"<title>(.*?)</title>", dom) or [""])[0]


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Path]:
    """A profile folder of its own; no process that uses it is left after the test."""
    folder = tmp_path / "profile"
    yield folder
    left = [pid for pid in _processes() if str(folder) in _command(pid)]
    assert left == []


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def opened(text: str, folder: Path, profile: Path, *options: str) -> Seen:
    """The page after Chromium has run it; the browser's whole process group ends with it."""
    page = folder / "report.html"
    page.write_text(text, encoding="utf-8")
    window = () if any(o.startswith("--window-size") for o in options) else _TALL
    command = [
        str(CHROMIUM),
        *_OPTIONS,
        *window,
        *options,
        f"--user-data-dir={profile}",
        page.as_uri(),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err.decode(errors="replace")
    return Seen(out.decode(errors="replace"), err.decode(errors="replace"))


@pytest.mark.parametrize(
    ("name", "dark"),
    [("many", False), ("many", True), ("missing", False), ("interrupted", False), ("burst", True)],
)
def test_every_plot_is_drawn_with_no_network_and_no_error(
    name: str, dark: bool, tmp_path: Path, profile: Path
) -> None:
    """A report opens in a browser with the network cut, draws every plot and logs no error."""
    judged = verdicts.verdicts() if name == "many" else ()
    record: Any = getattr(records, name)()
    options = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ()
    seen = opened(render(document(record, judged)), tmp_path, profile, *options)
    assert (seen.console, seen.errors) == ([], [])
    assert seen.scheme == ("dark" if dark else "light")
    assert seen.plots == {"many": 56, "missing": 0, "interrupted": 4, "burst": 4}[name]
    assert seen.drawn >= seen.plots


@pytest.mark.parametrize(("hosts", "plots"), [(2, 6), (1000, 7)])
def test_a_page_of_many_hosts_is_drawn(
    hosts: int, plots: int, tmp_path: Path, profile: Path
) -> None:
    """The page of a run under MPI draws its hosts, two or a thousand, and logs no error."""
    record = together.run(hosts=hosts, slow=1, repeats=2)
    seen = opened(render(document(record, ())), tmp_path, profile)
    assert (seen.console, seen.errors) == ([], [])
    assert seen.plots == plots
    assert seen.drawn >= seen.plots


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_sweep_is_drawn(dark: bool, tmp_path: Path, profile: Path) -> None:
    """The chart of growth and the heat map of a grid are drawn, in light and dark, with no error.

    The values of the grid stand in its cells.
    """
    if dark:
        run = swept({"jobs": (1, 2), "random_block": ("4096", "65536")}, lambda n, b: 1e4 * n * b)
    else:
        run = swept({"jobs": (1, 2, 4)}, lambda n: 1e8 * n)
    options = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ()
    text = render(document(run, ()))
    seen = opened(text, tmp_path, profile, "--window-size=1280,1200", *options)
    assert (seen.console, seen.errors) == ([], [])
    assert seen.scheme == ("dark" if dark else "light")
    place = seen.dom.partition('id="grid0-0"' if dark else 'id="growth0-0"')[2]
    figure = place.partition("</figure>")[0]
    assert "main-svg" in figure
    assert figure.count("heatmap-label") >= 4 if dark else "errorbar" in figure


def test_a_hostile_record_runs_no_script(tmp_path: Path, profile: Path) -> None:
    """A record with script in every text is shown, and nothing of it is run."""
    text = render(document(hostile.hostile(), [hostile.hostile_verdict()]))
    seen = opened(text, tmp_path, profile)
    assert (seen.console, seen.errors) == ([], [])
    assert seen.plots == 6
    assert seen.title.startswith("aibench")


def test_the_history_is_drawn(tmp_path: Path, profile: Path) -> None:
    """The page of a history whose records are hostile draws each series and runs nothing else."""
    label = "<script>alert(1)</script>${x}"
    nights = [
        past.night(number, 1 if number < 12 else 0.8, target=build.target(label=label))
        for number in range(24)
    ]
    series = [trend(each) for each in histories([rows(night) for night in nights])]
    seen = opened(trends_html.render(trends.document(series, "</script>")), tmp_path, profile)
    assert (seen.console, seen.errors) == ([], [])
    assert seen.plots == len(series) == 4
    assert seen.drawn >= seen.plots


def test_the_page_of_the_gate_is_drawn(tmp_path: Path, profile: Path) -> None:
    """The page of a check draws the history of what was flagged, and logs no error."""
    rates = (1.0, 1.01, 0.99, 1.005, 0.995, 1.0, 1.01, 0.99, 1.0, 1.005, 0.8)
    nights = [past.night(number, rate) for number, rate in enumerate(rates)]
    known = {each.id.key: each for each in histories([rows(night) for night in nights])}
    found = [check(known[own.id.key], own.sessions[0]) for own in histories([rows(nights[-1])])]
    drawn = trends.document([trend(each) for each in known.values()], "here")["series"]
    shown = checks.document(nights[-1], found)
    seen = opened(
        checks_html.render(shown, {each["key"]: each for each in drawn}), tmp_path, profile
    )
    assert (seen.console, seen.errors) == ([], [])
    assert seen.plots == seen.drawn_at_once == 2


def test_a_long_page_draws_what_is_in_sight(tmp_path: Path, profile: Path) -> None:
    """Of a run with twenty phases a page draws the plots near the window, and the rest on the way.

    So it opens in the time of one screen, however many phases there are.
    """
    text = render(document(records.long(), ()))
    seen = opened(text, tmp_path, profile, "--window-size=1280,900")
    assert (seen.console, seen.errors) == ([], [])
    assert seen.plots >= 80
    assert seen.drawn_at_once <= 8


def test_the_browser_test_sees_errors(tmp_path: Path, profile: Path) -> None:
    """A script error, and a script that the page did not name, would be noticed."""
    text = render(document(records.missing(), ()))
    broken = text.replace("</main>", "<script>alert(1)</script><img src='http://x/y'></main>")
    seen = opened(broken, tmp_path, profile)
    assert any("Content Security Policy" in line for line in seen.console)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_projection_is_drawn(dark: bool, tmp_path: Path, profile: Path) -> None:
    """A projection opens with the network cut, draws curve and ranges, and logs no error."""
    text = projected.render(described(impact(projecting.cluster())))
    options = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ()
    seen = opened(text, tmp_path, profile, *options)
    assert (seen.console, seen.errors) == ([], [])
    assert seen.scheme == ("dark" if dark else "light")
    assert seen.plots == 2
    assert seen.drawn >= seen.plots
