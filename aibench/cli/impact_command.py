"""``aibench impact``: from storage numbers to a training cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from aibench.cli import output, results
from aibench.cli.chosen import chosen_claims
from aibench.cli.options import output_option
from aibench.cluster.inputs import Input
from aibench.cluster.study import Wish
from aibench.definition.impact import impact_inputs, read_impact
from aibench.errors import Refused
from aibench.impact import checkpoint_sizes, impact
from aibench.model import Claim, RunRecord
from aibench.reporters.impact import document
from aibench.units import parse_duration

#: Where each option stands in an impact file.
_PLACES = {
    "nodes": "cluster.nodes",
    "failures": "cluster.failures_per_node_day",
    "mtbf": "cluster.mtbf",
    "fixed_restart": "cluster.fixed_restart",
    "useful_time": "cluster.useful_time",
    "model": "checkpoint.model",
    "parameters": "checkpoint.parameters",
    "checkpoint": "checkpoint.bytes",
    "write": "candidate.write",
    "read": "candidate.read",
    "load": "candidate.load",
    "utilisation": "candidate.utilisation",
    "faster": "candidate.faster",
    "load_faster": "candidate.load_faster",
    "baseline_write": "baseline.write",
    "baseline_read": "baseline.read",
    "baseline_load": "baseline.load",
    "baseline_utilisation": "baseline.utilisation",
}
_INPUTS = (
    ("--nodes", "N", "Nodes of the job."),
    ("--failures", "RATE|PRESET", "Failures per node and day: a number, rsc-1, rsc-2, mlcommons."),
    ("--mtbf", "TIME", "Mean time between failures of the whole job, in place of both."),
    ("--fixed-restart", "TIME", "What a restart takes without storage.  [default: 10min]"),
    ("--model", "NAME", "Checkpoints of a known model: 8b, 70b, 405b or 1t."),
    ("--parameters", "N", "Checkpoints of a model with N parameters, 14 B each."),
    ("--checkpoint", "SIZE", "The size of a checkpoint, all ranks together."),
    ("--write", "RATE", "Durable write bandwidth of the storage in question."),
    ("--read", "RATE", "Its cold read bandwidth.  [default: as --write]"),
    ("--load", "TIME", "Its time from the start of loaders to the first batch."),
    ("--utilisation", "SHARE", "Share of the time that accelerators don't wait for it."),
    ("--baseline-write", "RATE", "The same of what it is compared with."),
    ("--baseline-read", "RATE", ""),
    ("--baseline-load", "TIME", ""),
    ("--baseline-utilisation", "SHARE", ""),
    ("--faster", "X", "The storage in question is X times as fast as the baseline."),
    ("--load-faster", "X", "It has the first batch in 1/X of the baseline's time."),
    ("--useful-time", "TIME", "Useful work of the whole job: tells the time that is saved."),
)  # fmt: skip
_FORMATS = ("terminal", "html", "json")


def _inputs(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, metavar, about in reversed(_INPUTS):
        command = click.option(name, metavar=metavar, help=about)(command)
    return command


@click.command("impact")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "--baseline",
    "baselines",
    multiple=True,
    metavar="RUN",
    help="A run on the baseline; may be repeated.",
)
@click.option("--inputs", "file", metavar="FILE", help="Inputs and their ranges (TOML).")
@_inputs
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="TABLE.KEY=VALUE",
    help="Any other input of such a file; may be repeated.",
)
@click.option(
    "--needs-gain", type=float, metavar="X", help="Which baseline would a gain of X times need?"
)
@click.option("--saves", metavar="TIME", help="What would it take to save so much?")
@click.option("--claim", metavar="ID", help="Hold a claim against the projection.")
@click.option(
    "-f", "--format", "form", default="terminal", show_default=True, type=click.Choice(_FORMATS)
)
@output_option
@click.option("--results", "results_dir", metavar="DIR", help="Where records are looked for.")
@click.option("--json", "as_json", is_flag=True, help="The same as -f json.")
def command(
    runs: tuple[str, ...], baselines: tuple[str, ...], file: str | None, form: str,
    path: str | None, results_dir: str | None, claim: str | None, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Project what storage does to a training cluster.

    How much of its time a job does useful work that fails, restarts from checkpoints and waits for
    data: from runs, from options, or from a file. Runs of checkpoint-save, checkpoint-load, load
    and train workloads measure the storage in question; all else is assumed, and says so.

    A projection is no verdict: the exit code is 0 where one could be made.
    """
    found = impact(
        _given(file, given),
        candidate=_records(runs, results_dir),
        baseline=_records(baselines, results_dir),
        claim=_claim(claim),
        wish=_wish(given["needs_gain"], given["saves"]),
    )
    form = "json" if as_json else form
    text = _render(document(found), form, color=path is None and output.use_color())
    if path is None:
        output.show(text.rstrip("\n"))
    else:
        output.write_file(path, text)
        output.say(f"{form} report written to {path}")


def _render(derived: dict[str, Any], form: str, *, color: bool) -> str:
    from importlib import import_module

    reporter = import_module(f"aibench.reporters.impact.{form}")
    text: str = reporter.render(derived, width=min(output.terminal_width(), 120), color=color)
    return text


def _given(file: str | None, given: dict[str, Any]) -> dict[str, Input]:
    """What a file gives, and what options give in its place."""
    sizes = checkpoint_sizes()
    found: dict[str, Input] = {}
    if file is not None:
        data, text = read_impact(Path(file))
        found = impact_inputs(data, file, text, sizes)
    tables: dict[str, dict[str, Any]] = {}
    places = {place: given[name] for name, place in _PLACES.items() if given[name] is not None}
    for place, value in (places | _settings(given["settings"])).items():
        table, _, key = place.partition(".")
        tables.setdefault(table, {})[key] = value
    options = impact_inputs(tables, "options", "", sizes)
    return {name: each for name, each in found.items() if not _stood_for(name, options)} | options


def _stood_for(name: str, options: dict[str, Input]) -> bool:
    """Whether an option says in another way what ``name`` of the file says."""
    ways = (
        ({"mtbf"}, {"nodes", "failures_per_node_day"}),
        ({"checkpoint_bytes"}, {"parameters", "bytes_per_parameter"}),
        ({"candidate_write", "candidate_read"}, {"faster"}),
        ({"candidate_load"}, {"load_faster"}),
    )
    return any(
        (name in one and set(options) & other) or (name in other and set(options) & one)
        for one, other in ways
    )


def _settings(settings: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for setting in settings:
        place, equals, value = setting.partition("=")
        if not equals or place.count(".") != 1:
            raise Refused(f"--set {setting!r}: write TABLE.KEY=VALUE, such as candidate.load=5min")
        found[place] = value
    return found


def _records(runs: tuple[str, ...], results_dir: str | None) -> list[RunRecord]:
    return [results.load(run, results_dir)[0] for run in runs]


def _claim(name: str | None) -> Claim | None:
    if name is None:
        return None
    found = chosen_claims((name,))
    if len(found) != 1:
        raise Refused(f"{name} stands for {len(found)} claims; give the id of one")
    return found[0]


def _wish(gain: float | None, saves: str | None) -> Wish | None:
    if gain is not None and saves is not None:
        raise Refused("give --needs-gain or --saves, not both")
    if gain is not None:
        if not 0 < gain < 1e6:
            raise Refused(f"--needs-gain has to be above 0 and below 1e6, not {gain}")
        return Wish(gain=gain, source="--needs-gain")
    if saves is not None:
        return Wish(saves=parse_duration(saves) / 1e9, source="--saves")
    return None
