"""``aibench judge``: verdicts on claims again, from a record."""

import click

from aibench.cli import output, results
from aibench.cli.options import chosen_claims, chosen_system
from aibench.judge import judge
from aibench.reporters.document import document


@click.command("judge")
@click.argument("run")
@click.option(
    "--claims",
    multiple=True,
    metavar="FILE|ID",
    help="Judge these claims; default: all shipped ones.",
)
@click.option("--system", metavar="FILE", help="What the mount is; default: as in the record.")
@click.option("--results", "results_dir", metavar="DIR", help="Where records are looked for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(
    run: str, claims: tuple[str, ...], system: str | None, results_dir: str | None, as_json: bool
) -> None:
    """Judge claims by the record RUN: a file, the id of a run, or 'last'.

    Exit code 0 when nothing speaks against a claim, 1 when one is not met, 3 when one is
    inconclusive.
    """
    record, _ = results.load(run, results_dir)
    verdicts = judge(record, chosen_claims(claims), chosen_system(system) or record.system)
    derived = document(record, verdicts)
    form = "json" if as_json else "terminal"
    output.show(output.render(derived, form, color=output.use_color()).rstrip("\n"))
    raise SystemExit(output.exit_code(verdicts))
