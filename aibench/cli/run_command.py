"""``aibench run``: plan, prepare, calibrate, measure, store, judge, report."""

from typing import Any

import click

from aibench.cli.options import plan_options


@click.command("run")
@click.argument("target", type=click.Path())
@plan_options
@click.option("--system", metavar="FILE", help="What the mount is: vendor, product, units (TOML).")
@click.option(
    "--claims",
    multiple=True,
    metavar="FILE|ID",
    help="Judge these claims; default: all shipped ones.",
)
@click.option(
    "--results",
    "results_dir",
    metavar="DIR",
    help="Where the record goes.  [default: $AIBENCH_RESULTS, else results/runs]",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Measure only what is missing of a record: a file, an id, or 'last'.",
)
@click.option(
    "--patience",
    default="120s",
    show_default=True,
    metavar="TIME",
    help="End a phase in which nothing happens for this long.",
)
@click.option(
    "--keep/--no-keep", default=True, help="Keep the data sets for the next run.  [default: keep]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(
    target: str,
    claims: tuple[str, ...],
    results_dir: str | None,
    resume: str | None,
    patience: str,
    keep: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Benchmark the directory TARGET on a mounted filesystem.

    Writes only inside TARGET/aibench-data, keeps a record of every sample, and ends with the
    verdicts on vendors' claims, the path of the record, and an HTML report beside it.

    With --resume the samples of a run that stopped are carried into a new record, with the plan,
    label and system of the old one.
    """
    from aibench.cli.running import run

    run(
        target,
        given,
        claims=claims,
        results_dir=results_dir,
        resume=resume,
        patience=patience,
        keep=keep,
        as_json=as_json,
    )
