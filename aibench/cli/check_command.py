"""``aibench check``: the regression gate, with an exit code."""

import json
from collections.abc import Sequence
from typing import Any

import click

from aibench import baselines, floors
from aibench.cli import output, results, series
from aibench.cli.confirming import rerun
from aibench.cli.options import inconclusive_option, output_option
from aibench.errors import Refused
from aibench.history import DUEL, Rules, bound, check, held, histories, rows, trend
from aibench.history.gate import RERUNS
from aibench.model import RunRecord
from aibench.model.history import Checked, Event, History, Session, Standing
from aibench.reporters import checks
from aibench.units import parse_duration

_FLAGGED = (Standing.SUSPECT, Standing.MAYBE_IMPROVED)
_BAD = frozenset({Standing.REGRESSED, Standing.MISSED_BOUND})
_OPEN = frozenset(
    {
        *(Standing.SUSPECT, Standing.CLIENT_CHANGED),
        *(Standing.INSUFFICIENT, Standing.UNDECIDED_BOUND),
    }
)


@click.command("check")
@click.argument("run")
@click.option("--confirm", metavar="TARGET", help="Measure what is flagged twice more, there.")
@click.option(
    "--at-least",
    multiple=True,
    metavar="FIGURE",
    help="Such as 2GB/s, 3000op/s, 90%:utilisation, 2GB/s:read_bandwidth@block/seq-read; may be "
    "repeated.",
)
@click.option(
    "--at-most",
    multiple=True,
    metavar="FIGURE",
    help="Such as 5ms:p99 or 10s:makespan@checkpoint-save; may be repeated.",
)
@click.option("--series", "wanted", metavar="SERIES", help="Check only this series.")
@click.option(
    "--floor",
    type=click.FloatRange(0.001, 0.9),
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="A smaller change does not matter; nor one below the noise floor that a duel of the "
    "mount with itself has found.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(1e-6, 0.2),
    default=0.01,
    show_default=True,
    metavar="P",
    help="How often storage that did not change may be flagged.",
)
@click.option("--results", "results_dir", metavar="DIR", help="Where records are looked for.")
@series.baselines_option
@click.option(
    "--patience",
    default="120s",
    show_default=True,
    metavar="TIME",
    help="With --confirm: end a phase in which nothing happens for this long.",
)
@click.option(
    "-f",
    "--format",
    "form",
    default="terminal",
    show_default=True,
    type=click.Choice(["terminal", "html", "json", "markdown", "junit", "github"]),
)
@output_option
@inconclusive_option
@click.option("--json", "as_json", is_flag=True, help="The same as -f json.")
def command(run: str, results_dir: str | None, **given: Any) -> None:
    """Is RUN (a file, an id, or 'last') worse than the runs before it, or than a bound?

    Each main figure is held against the sessions of its series: same client, mount, target,
    workload, and state of the cache. Bounds hold for this run alone.

    Exit code 0 when nothing got worse, 1 when something did (confirmed) or missed a bound, 3 when
    that can't be said: too little history, not confirmed, or the client itself changed.
    """
    bounds = [bound(text, ">=") for text in given["at_least"]]
    bounds += [bound(text, "<=") for text in given["at_most"]]
    patience_ns = parse_duration(given["patience"])
    record, _ = results.load(run, results_dir)
    if record.reasons or not record.complete:
        raise Refused(f"{record.run_id} does not count: {record.reasons[0].message}")
    found = [each for one in bounds for each in held(record, one)]
    target = given["confirm"]
    known: Sequence[History] = ()
    events: Sequence[Event] = ()
    if given["wanted"] is not None or target is not None or not bounds:
        if DUEL in record.labels:
            raise Refused(
                f"{record.run_id} belongs to duel {record.labels[DUEL]}, whose runs are no "
                f"sessions of a history; see 'aibench compare --duel {record.labels[DUEL]}'"
            )
        known = series.known(results_dir)
        events = baselines.events(series.baselines(given["baselines_dir"]))
        gate = _Gate(record, given["wanted"], known, events, _rules(given, results_dir))
        checked = gate.checked()
        flagged = [each for each in checked if each.standing in _FLAGGED]
        if target is not None and flagged:
            checked = gate.checked(rerun(record, flagged, target, RERUNS, results_dir, patience_ns))
        found += checked
    form = "json" if given["as_json"] else given["form"]
    document = checks.document(record, found)
    if form == "html":
        output.deliver(_page(document, known, events), form, given["path"])
    else:
        _show(document, form, given["path"], given["inconclusive"])
    raise SystemExit(_exit_code(found))


def _rules(given: dict[str, Any], results_dir: str | None) -> Rules:
    folder, _ = results.directory(results_dir)
    return Rules(given["floor"], given["alpha"], floors.by_figure(floors.read(folder)))


def _show(document: dict[str, Any], form: str, path: str | None, inconclusive: str) -> None:
    if form == "json":
        made: str | bytes = json.dumps(document, ensure_ascii=False)
    elif form == "markdown":
        made = checks.markdown(document)
    elif form == "terminal":
        width, color = min(output.terminal_width(), 120), path is None and output.use_color()
        made = checks.terminal(document, width=width, color=color)
    else:
        more: dict[str, Any] = {"inconclusive": inconclusive} if form == "junit" else {}
        made = output.rendered(document, form, **more)
    output.deliver(made, form, path)
    if form == "github":
        output.summarize(document)


def _page(document: dict[str, Any], known: Sequence[History], events: Sequence[Event]) -> str:
    """The HTML page, with the history of each series that it draws."""
    from aibench.reporters import checks_html, trends

    wanted = checks_html.drawn(document)
    found = [
        trend(each, baselines.of(events, each.id.key), known)
        for each in known
        if each.id.key in wanted
    ]
    parts = {part["key"]: part for part in trends.document(found, "")["series"]}
    return checks_html.render(document, parts)


class _Gate:
    """One run against the series that it belongs to."""

    def __init__(
        self,
        record: RunRecord,
        wanted: str | None,
        known: Sequence[History],
        events: Sequence[Event],
        rules: Rules,
    ) -> None:
        self._known = {each.id.key: each for each in known}
        own = histories([rows(record)])
        self._own = own if wanted is None else series.chosen(own, wanted)
        self._events = events
        self._rules = rules

    def checked(self, again: Sequence[RunRecord] = ()) -> list[Checked]:
        """What becomes of each figure of the run, with the runs that were made to confirm it."""
        reruns: dict[str, list[Session]] = {}
        for one in histories([rows(record) for record in again]):
            reruns[one.id.key] = list(one.sessions)
        return [
            check(
                self._known.get(own.id.key, own),
                own.sessions[0],
                reruns.get(own.id.key, ()),
                baselines.of(self._events, own.id.key),
                self._rules,
            )
            for own in self._own
        ]


def _exit_code(found: Sequence[Checked]) -> int:
    standings = {each.standing for each in found}
    if standings & _BAD:
        return 1
    return 3 if standings & _OPEN or not found else 0
