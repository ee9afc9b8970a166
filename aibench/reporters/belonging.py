"""What a run belongs to, in words, and which runs verdicts were reached on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aibench.model import RunRecord
from aibench.reporters.values import plain

#: Labels that say how a duel was laid out; they are told with the duel, or only to programs.
_OF_DUEL = ("duel", "pair", "side", "sides", "pairs", "extension", "itself")


def belonging(labels: Mapping[str, str]) -> str:
    """``duel d0e1, pair 3 of 6, side a``; empty for a run that stands alone."""
    parts = []
    if duel := labels.get("duel"):
        pair, pairs = labels.get("pair", "?"), labels.get("pairs")
        of = f" of {pairs}" if pairs else ""
        parts += [f"duel {duel}", "the warm-up" if pair == "0" else f"pair {pair}{of}"]
        parts.append(f"side {labels.get('side', '?')}")
        parts += ["the mount with itself"] if labels.get("itself") == "yes" else []
    if confirms := labels.get("confirms"):
        parts.append(f"confirms {confirms}")
    if written := labels.get("written_through"):
        parts.append(f"reads what was written over {written}")
    known = {*(_OF_DUEL if duel else ()), "confirms", "written_through"}
    parts += [f"{name} {value}" for name, value in sorted(labels.items()) if name not in known]
    return ", ".join(parts)


def judged(
    records: Sequence[RunRecord], baseline: Sequence[RunRecord] = ()
) -> list[dict[str, Any]]:
    """Each of several runs that verdicts were reached on, and on which side it stood.

    None where there was only one: the report is about that one.
    """
    if len(records) + len(baseline) < 2:
        return []
    sides = [*(("run", each) for each in records), *(("baseline", each) for each in baseline)]
    return [
        {
            "side": side,
            "id": record.run_id,
            "started_at": record.started_at,
            "target": record.target.label,
            "fstype": record.target.fstype,
            "system": plain(record.system),
            "labels": plain(record.labels),
            "counts": record.complete and not record.reasons,
        }
        for side, record in sides
    ]


def rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(``run`` or ``baseline``, id, target and what it belongs to) of each run that was judged."""
    for each in document["judged"]:
        system = each["system"]
        what = f"{system['vendor']} {system['product']}, " if system else ""
        size = f"{system['units']} x {system['unit']}, " if system else ""
        parts = [f"{each['id']}: {what}{size}{each['target']} ({each['fstype']})"]
        parts += [told] if (told := belonging(each["labels"])) else []
        parts += [] if each["counts"] else ["does not count"]
        yield each["side"], ", ".join(parts)


def heading(document: Mapping[str, Any]) -> str:
    """``3 runs and 2 of a baseline were judged; the figures below are of the last run, ID``."""
    sides = [each["side"] for each in document["judged"]]
    runs, others = sides.count("run"), sides.count("baseline")
    what = "1 run" if runs == 1 else f"{runs} runs"
    beside = f" and {others} of a baseline" if others else ""
    last = document["run"]["id"]
    whose = "it" if runs == 1 else f"the last run, {last}"
    verb = "was" if runs == 1 and not others else "were"
    return f"{what}{beside} {verb} judged; figures below are of {whose}"
