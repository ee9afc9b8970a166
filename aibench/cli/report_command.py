"""``aibench report``: a record as terminal text, HTML, Markdown or JSON."""

import click

from aibench.cli import output, results
from aibench.cli.beside import full_document
from aibench.cli.chosen import chosen_claims
from aibench.cli.options import inconclusive_option, output_option
from aibench.judge import judge
from aibench.registry import names


@click.command("report")
@click.argument("run")
@click.option(
    "-f",
    "--format",
    "form",
    default="terminal",
    show_default=True,
    metavar="FORMAT",
    type=click.Choice(names("reporters")),
)
@output_option
@click.option("--results", "results_dir", metavar="DIR", help="Where records are looked for.")
@inconclusive_option
@click.option("--json", "as_json", is_flag=True, help="The same as -f json.")
def command(
    run: str,
    form: str,
    path: str | None,
    results_dir: str | None,
    inconclusive: str,
    as_json: bool,
) -> None:
    """Render the record RUN: a file, the id of a run, or 'last'.

    For people: terminal, html, markdown. For programs: json, csv and parquet (tidy tables), junit,
    prometheus (for the node exporter's textfile collector), github (annotations, and the job
    summary where $GITHUB_STEP_SUMMARY is set), pytest-benchmark.
    """
    record, _ = results.load(run, results_dir)
    derived = full_document(record, judge(record, chosen_claims(()), record.system))
    form = "json" if as_json else form
    more = {"inconclusive": inconclusive} if form == "junit" else {}
    made = output.rendered(derived, form, color=path is None and output.use_color(), **more)
    output.deliver(made, form, path)
    if form == "github":
        output.summarize(derived)
