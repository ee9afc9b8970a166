"""``aibench doctor``: whether this machine is fit to measure this mount."""

import json
import textwrap
from dataclasses import asdict

import click

from aibench.cli import results
from aibench.cli.output import show, use_color

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "fails": ("FAILS", "red")}


@click.command("doctor")
@click.argument("target", type=click.Path())
@click.option("--results", "results_dir", metavar="DIR", help="Where records would go.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(target: str, results_dir: str | None, as_json: bool) -> None:
    """Look whether this machine is fit to measure the mount that TARGET is on.

    Takes seconds; writes one small file on the mount and removes it. Exit code 1 when something
    fails.
    """
    from aibench.doctor import examine

    checks = examine(target, results.directory(results_dir)[0])
    if as_json:
        show(json.dumps({"format": 1, "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        for check in checks:
            word, color = _MARKS[check.status]
            mark = click.style(f"{word:<8}", fg=color) if use_color() else f"{word:<8}"
            _print(mark, f"{check.name}: {check.found}")
            if check.advice and check.status != "ok":
                _print(" " * 8, check.advice)
    raise SystemExit(1 if any(check.status == "fails" for check in checks) else 0)


def _print(mark: str, text: str) -> None:
    lines = textwrap.wrap(text, 78 - 9) or [""]
    show(f"{mark} {lines[0]}")
    for line in lines[1:]:
        show(f"{'':9}{line}")
