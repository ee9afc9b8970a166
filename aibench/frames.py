"""Documents as tidy tables, for those who go on with pandas; the only importer of it."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: Columns of `figures`, in order.
FIGURES = (
    "run", "started_at", "label", "fstype", "source", "host", "hosts", "ranks", "aibench_version",
    "workload", "kind", "engine", "phase", "series", "repeat", "counts", "cache_state", "metric",
    "title", "value", "unit", "better", "main",
)  # fmt: skip
#: Columns of `verdicts`, in order.
VERDICTS = (
    "run", "started_at", "label", "claim", "vendor", "product", "title", "interpretation", "status",
    "claimed", "bound", "measured", "low", "high", "unit", "n", "margin", "workload", "phase",
    "reasons", "next_step",
)  # fmt: skip


def figures(documents: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    """A row for each repeat of each figure: base units, and no row where a figure is missing.

    ``host`` is that of rank 0, ``hosts`` and ``ranks`` are how many measured together.
    ``counts`` is False where the repeat or the whole run counts for nothing.
    """
    return _table((row for each in documents for row in _figures(each)), FIGURES)


def verdicts(documents: Iterable[dict[str, Any]]) -> "pd.DataFrame":
    """A row for each reading of each claim. ``measured`` is per unit of the claim where it is."""
    return _table((row for each in documents for row in _verdicts(each)), VERDICTS)


def _table(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(columns))


def _figures(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    run, target, launch = document["run"], document["target"], document["launch"]
    about = {
        "run": run["id"],
        "started_at": run["started_at"],
        "label": target["label"],
        "fstype": target["fstype"],
        "source": target["source"],
        "host": document["environment"]["metadata"].get("hostname"),
        "hosts": len(launch["hosts"]) if launch else 1,
        "ranks": launch["ranks"] if launch else 1,
        "aibench_version": run["aibench_version"],
    }
    for workload in document["workloads"]:
        for phase in workload["phases"]:
            place = about | {
                "workload": workload["name"],
                "kind": workload["kind"],
                "engine": workload["engine"],
                "phase": phase["name"],
                "series": phase["series"],
            }
            for metric in phase["metrics"]:
                yield from _repeats(place, phase, metric, run["counts"])


def _repeats(
    place: dict[str, Any], phase: dict[str, Any], metric: dict[str, Any], counts: bool
) -> Iterator[dict[str, Any]]:
    for sample, value in zip(phase["samples"], metric["values"], strict=True):
        if value is not None:
            evidence = sample["evidence"]
            yield place | {
                "repeat": sample["repeat"],
                "counts": counts and sample["counts"],
                "cache_state": evidence["state"] if evidence else None,
                "metric": metric["name"],
                "title": metric["title"],
                "value": float(value),
                "unit": metric["unit"],
                "better": metric["better"],
                "main": metric["main"],
            }


def _verdicts(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    run = document["run"]
    for row in document["verdicts"]:
        measured = row["measured"] or {}
        yield {
            "run": run["id"],
            "started_at": run["started_at"],
            "label": document["target"]["label"],
            "interpretation": row["interpretation"]["id"],
            "claimed": row["claimed"]["value"] if row["claimed"] else None,
            "bound": row["bound"]["value"] if row["bound"] else None,
            "measured": measured.get("typical"),
            "low": measured.get("low"),
            "high": measured.get("high"),
            "reasons": " ".join(reason["code"] for reason in row["reasons"]),
            **{
                name: row[name]
                for name in ("claim", "vendor", "product", "title", "status", "unit", "n",
                             "margin", "workload", "phase", "next_step")
            },
        }  # fmt: skip
