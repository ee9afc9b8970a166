"""``aibench judge``: verdicts on claims again, from records."""

from dataclasses import replace

import click

from aibench.cli import output, results
from aibench.cli.beside import full_document
from aibench.cli.chosen import chosen_claims, chosen_system
from aibench.cli.options import Following, groups
from aibench.judge import judge
from aibench.reporters.belonging import judged


@click.command("judge", cls=Following, following="--baseline")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--baseline",
    multiple=True,
    metavar="RUN...",
    help="Runs that ratios are over: all that follow, up to the next option.",
)
@click.option(
    "--claims",
    multiple=True,
    metavar="FILE|ID",
    help="Judge these claims; default: all shipped ones.",
)
@click.option("--system", metavar="FILE", help="What the mount is; default: as in the records.")
@click.option("--results", "results_dir", metavar="DIR", help="Where records are looked for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(
    runs: tuple[str, ...],
    baseline: tuple[str, ...],
    claims: tuple[str, ...],
    system: str | None,
    results_dir: str | None,
    as_json: bool,
) -> None:
    """Judge claims by the records RUN: files, ids of runs, or 'last'.

    Several runs of the same workload are one trial; those of other sizes of a system, each with its
    own system file, test a claim on scaling. A claim on a ratio needs runs of a baseline too; runs
    of a duel are compared pair by pair. The report names them all, and its figures are those of the
    last one.

    Exit code 0 when nothing speaks against a claim, 1 when one is not met, 3 when one is
    inconclusive.
    """
    records = results.load_all(runs, results_dir)
    behind = [run for group in groups(baseline) for run in group]
    others = results.load_all(behind, results_dir, taken=records)
    described = chosen_system(system)
    verdicts = judge(records, chosen_claims(claims), described, others)
    last = replace(records[-1], system=described or records[-1].system)
    derived = full_document(last, verdicts, judged(records, others))
    form = "json" if as_json else "terminal"
    output.show(output.render(derived, form, color=output.use_color()).rstrip("\n"))
    raise SystemExit(output.exit_code(verdicts))
