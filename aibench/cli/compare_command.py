"""``aibench compare``: records held against each other, with what they can't tell."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from aibench.cli import output, results
from aibench.cli.comparing import check_expected, decision_options, exit_code, render, rules
from aibench.cli.options import Following, groups, output_option
from aibench.compare import Entrant, compare
from aibench.compare.pairing import LETTERS, by_repeat, ended_well, entrants, pairs, place
from aibench.compare.rules import EXTENSION, ITSELF, ONE_LOOK, PAIRS, TWO_LOOKS, WARM_UP
from aibench.compare.unlike import NAMES
from aibench.errors import RecordError, Refused
from aibench.model import Finding, RunRecord
from aibench.model.comparison import Comparison
from aibench.registry import names
from aibench.store import SUFFIX, read

_ONE_RUN = Finding(
    code="one_run",
    message="each side is one run, so its repeats are compared: what changes from run to run is "
    "not in the intervals",
)


@click.command("compare", cls=Following, following="--with")
@click.argument("runs", nargs=-1)
@click.option(
    "--with",
    "others",
    multiple=True,
    metavar="RUN...",
    help="The runs of another side; may be repeated.",
)
@click.option("--duel", "duel", metavar="ID", help="All complete pairs of this duel.")
@click.option(
    "--allow-different",
    multiple=True,
    type=click.Choice(list(NAMES)),
    help="Show side by side what differs in this, with no verdict.",
)
@decision_options
@click.option(
    "-f",
    "--format",
    "form",
    default="terminal",
    show_default=True,
    type=click.Choice(names("comparisons")),
)
@output_option
def command(runs: tuple[str, ...], others: tuple[str, ...], duel: str | None, **given: Any) -> None:
    """Hold the records RUNS against those of --with: files, ids of runs, or 'last'.

    Runs of a duel are compared pair by pair. Others were measured one after the other, and that
    can't tell drift from difference: they get ratios and intervals, and no verdict unless
    '--accept sequential' says that nothing drifted.

    Exit code 0 when decided or equivalent, 1 when not as expected, 3 when inconclusive.
    """
    folder, _ = results.directory(given["results_dir"])
    if duel is not None:
        if runs or others:
            raise Refused("give --duel ID, or runs and --with, not both")
        comparison = _of_duel(duel, folder, given)
    else:
        comparison = _of_runs(runs, others, folder, given)
    check_expected(given["expect"], [side.key for side in comparison.sides])
    form = "json" if given["as_json"] else given["form"]
    text = render(comparison, form, color=given["path"] is None and output.use_color())
    if given["path"] is None:
        output.show(text.rstrip("\n"))
    else:
        output.write_file(given["path"], text)
        output.say(f"{form} report written to {given['path']}")
    raise SystemExit(exit_code(comparison, given["expect"]))


def _of_runs(
    runs: Sequence[str], others: Sequence[str], folder: str, given: dict[str, Any]
) -> Comparison:
    named = [list(runs), *groups(others)]
    if len(named) < 2 or not all(any(group) for group in named):
        raise Refused("a comparison needs runs on both sides: RUN_A... --with RUN_B...")
    if len(named) > len(LETTERS):
        raise Refused(f"there are {len(named)} sides; at most {len(LETTERS)} can be compared")
    loaded = [[results.load(run, given["results_dir"])[0] for run in group] for group in named]
    usable, missing = _usable(loaded)
    paired = _paired(usable)
    notes: tuple[Finding, ...] = ()
    if paired is None and all(len(group) == 1 for group in usable):
        usable, notes = [list(by_repeat(group[0])) for group in usable], (_ONE_RUN,)
    sides = tuple(
        Entrant(key=LETTERS[n], runs=tuple(group), system=group[0].system if group else None)
        for n, group in enumerate(paired or usable)
    )
    decide = rules(given, folder, confidence=ONE_LOOK, allowed=frozenset(given["allow_different"]))
    found = compare(sides, decide, paired=paired is not None)
    declared = max(map(len, usable)) if paired else 0
    return replace(found, declared=declared, missing=(*missing, *found.missing), notes=notes)


def _usable(
    loaded: Sequence[Sequence[RunRecord]],
) -> tuple[list[list[RunRecord]], tuple[Finding, ...]]:
    """The runs that count, by side, and the others by name."""
    left_out = [
        Finding(code="failed_run", message=f"{record.run_id} does not count: {_why(record)}")
        for group in loaded for record in group if not ended_well(record)
    ]  # fmt: skip
    return [[r for r in group if ended_well(r)] for group in loaded], tuple(left_out)


def _why(record: RunRecord) -> str:
    return record.reasons[0].message if record.reasons else "it did not finish"


def _paired(groups: Sequence[Sequence[RunRecord]]) -> list[list[RunRecord]] | None:
    """The runs of complete pairs, side by side, where all are of duels; else None."""
    tables = []
    for group in groups:
        where = [place(record) for record in group]
        known = [each for each in where if each is not None]
        if len(known) != len(group) or len({side for _, _, side in known}) != 1:
            return None
        tables.append({(duel, pair): record
                       for (duel, pair, _), record in zip(known, group, strict=True)})  # fmt: skip
    shared = sorted(key for key in tables[0] if all(key in table for table in tables))
    shared = [key for key in shared if key[1] != WARM_UP]
    return [[table[key] for key in shared] for table in tables] if shared else None


def load_duel(folder: str, duel: str) -> list[RunRecord]:
    """All records of a duel in ``folder``. `RecordError` where there is none."""
    listed = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    wanted = [n for n in listed if f"-duel-{duel}-" in n and n.endswith(SUFFIX)]
    found = [record for n in wanted if _belongs(record := read(os.path.join(folder, n)), duel)]
    if not found:
        raise RecordError(f"no run of a duel {duel!r} in {os.path.abspath(folder)}")
    return found


def _belongs(record: RunRecord, duel: str) -> bool:
    where = place(record)
    return where is not None and where[0] == duel


def _of_duel(duel: str, folder: str, given: dict[str, Any]) -> Comparison:
    records = load_duel(folder, duel)
    labels = records[0].labels
    sides, missing = entrants(records, duel)
    if not sides or not sides[0].runs:
        raise Refused(f"duel {duel} has no complete pair yet")
    confidence = TWO_LOOKS if _count(labels.get(EXTENSION)) else ONE_LOOK
    decide = rules(given, folder, confidence=confidence)
    found = compare(sides, decide, paired=True)
    declared = _count(labels.get(PAIRS))
    extended = max(max(pairs(records, duel), default=0) - declared, 0)
    return replace(
        found,
        duel=duel,
        declared=declared,
        extended=extended,
        itself=labels.get(ITSELF) == "yes",
        missing=(*missing, *found.missing),
    )


def _count(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else 0
