"""``aibench baseline``: which sessions are what later ones are held against."""

import json
from dataclasses import asdict

import click

from aibench import baselines
from aibench.cli import output, results, series
from aibench.errors import Refused
from aibench.history import DUEL, rows
from aibench.model.history import Event, History
from aibench.reporters.clean import clean_block
from aibench.store import now

_RESULTS = click.option(
    "--results", "results_dir", metavar="DIR", help="Where records are looked for."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group("baseline")
def command() -> None:
    """Begin, show and accept the levels that 'aibench check' holds new sessions against."""


@command.command("set")
@click.argument("run")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept with the baseline.")
@_RESULTS
@series.baselines_option
def begin(run: str, reason: str, results_dir: str | None, baselines_dir: str | None) -> None:
    """Let the baseline of every series in RUN begin with that run.

    RUN is a file, the id of a run, or 'last'. What was measured before it stays in the history
    and is not compared with any more.
    """
    record, _ = results.load(run, results_dir)
    found = rows(record)["rows"]
    if not found:
        why = "is part of a duel" if DUEL in record.labels else "does not count"
        raise Refused(f"{record.run_id} {why}, so it can't begin a baseline")
    place = series.baselines(baselines_dir)
    at, by = now(), series.user()
    events = [
        Event(
            kind="set", series=row["id"]["key"], run_id=record.run_id, at=at, by=by, reason=reason
        )
        for row in found
    ]
    path = baselines.add(place, events)
    output.say(f"{len(events)} series begin with {record.run_id}, noted in {path}")


@command.command("bless")
@click.argument("wanted", metavar="SERIES")
@click.option("--reason", required=True, metavar="TEXT", help="Why the change is accepted.")
@click.option("--from", "run", metavar="RUN", help="The first run at the new level.  [default: "
              "where the level changed last, else the newest run]")  # fmt: skip
@_RESULTS
@series.baselines_option
def bless(
    wanted: str, reason: str, run: str | None, results_dir: str | None, baselines_dir: str | None
) -> None:
    """Accept the level that SERIES has now, and say why.

    SERIES is what 'aibench history' shows: digits of the key, or words of the name.
    """
    if not reason.strip():
        raise Refused("say why the change is accepted: --reason TEXT")
    place = series.baselines(baselines_dir)
    found = series.one(series.chosen(series.known(results_dir), wanted), wanted)
    first = _first(found, run)
    event = Event(
        kind="bless", series=found.id.key, run_id=first, at=now(), by=series.user(), reason=reason
    )
    path = baselines.add(place, [event])
    output.say(f"{found.id.short} {found.id.name}: the level from {first} on is accepted ({path})")


def _first(history: History, run: str | None) -> str:
    """The run that the accepted level begins with."""
    from aibench.history import levels

    own = [session for session in history.sessions if not session.confirms]
    if run is None:
        level = levels(history.sessions)[-1]
        return level.sessions[0].run_id if level.change else own[-1].run_id
    fitting = [session.run_id for session in own if run in session.run_id]
    if len(fitting) != 1:
        raise Refused(f"{len(fitting)} runs of {history.id.name} have {run!r} in their id")
    return fitting[0]


@command.command("show")
@click.argument("wanted", metavar="[SERIES]", required=False)
@_RESULTS
@series.baselines_option
@_JSON
def show(
    wanted: str | None, results_dir: str | None, baselines_dir: str | None, as_json: bool
) -> None:
    """Who said what of which series, when and why."""
    events = baselines.events(series.baselines(baselines_dir))
    found = {each.id.key: each for each in series.known(results_dir)}
    if wanted is not None:
        keys = {each.id.key for each in series.chosen(found.values(), wanted)}
        events = tuple(event for event in events if event.series in keys)
    if as_json:
        output.show(json.dumps({"format": 1, "events": [asdict(event) for event in events]}))
        return
    if not events:
        output.show("no baseline was set and no change accepted")
    for event in events:
        history = found.get(event.series)
        name = history.id.name if history else "(no record of it here)"
        why = f": {event.reason}" if event.reason else ""
        line = f"{event.series[:10]}  {event.kind:<5}  {event.run_id}  {name}"
        output.show(clean_block(f"{line}\n            {event.at} by {event.by}{why}"))
