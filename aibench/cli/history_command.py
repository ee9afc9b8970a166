"""``aibench history``: series over time, with what changed around each change."""

import json
import os

import click

from aibench import baselines
from aibench.cli import output, results, series
from aibench.cli.options import output_option
from aibench.history import trend
from aibench.reporters import trends


@click.command("history")
@click.argument("wanted", metavar="[SERIES]", required=False)
@click.option("--results", "results_dir", metavar="DIR", help="Where records are looked for.")
@series.baselines_option
@click.option("-f", "--format", "form", default="terminal", show_default=True,
              type=click.Choice(["terminal", "html", "json"]))  # fmt: skip
@output_option
@click.option("--json", "as_json", is_flag=True, help="The same as -f json.")
def command(
    wanted: str | None, results_dir: str | None, baselines_dir: str | None, form: str,
    path: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Show how series went over all records: levels, changes, drift.

    SERIES is digits of a key, or words of a name or target; without it all are shown. Each change
    names the first run at the new level and what else was not as before: kernel, mount options,
    firmware, versions.
    """
    known = series.known(results_dir)
    events = baselines.events(series.baselines(baselines_dir))
    shown = [
        trend(each, baselines.of(events, each.id.key), known)
        for each in series.chosen(known, wanted)
    ]
    place = os.path.abspath(results.directory(results_dir)[0])
    document = trends.document(shown, place)
    form = "json" if as_json else form
    text = _rendered(document, form, color=path is None and output.use_color())
    if path is None:
        output.show(text.rstrip("\n"))
    else:
        output.write_file(path, text)
        output.say(f"history written to {path}")


def _rendered(document: dict[str, object], form: str, *, color: bool) -> str:
    if form == "json":
        return json.dumps(document, ensure_ascii=False)
    if form == "html":
        from aibench.reporters import trends_html

        return trends_html.render(document)
    return trends.terminal(document, width=min(output.terminal_width(), 120), color=color)
