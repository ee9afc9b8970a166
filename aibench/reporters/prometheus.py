"""Metrics for the textfile collector of Prometheus' node exporter, in base units.

No time stamps on samples, which the collector refuses, and no ids of runs as labels, which would
make a new series of each run. Write the file with ``-o``: it is replaced as a whole.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from aibench.reporters.clean import cleaned

_SECOND = 10**9
#: Name of the metric for each unit, with the factor to its base unit.
_UNITS = {
    "B/s": ("aibench_throughput_bytes_per_second", 1.0, "Bytes per second."),
    "op/s": ("aibench_operations_per_second", 1.0, "Operations, files or samples per second."),
    "ns": ("aibench_time_seconds", 1 / _SECOND, "Latencies and durations."),
    "share": ("aibench_share_ratio", 1.0, "Shares, such as utilisation."),
    "B": ("aibench_size_bytes", 1.0, "Sizes, such as that of a burst."),
}
_STATS = {"point": "typical", "ci_low": "low", "ci_high": "high"}

#: One line of a metric: its name, its labels, its value.
_Line = tuple[str, dict[str, str], float]


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` in the text format of Prometheus, each metric with its help and type.

    Only what counts is exported. ``width`` and ``color`` have no meaning here.
    """
    del width, color
    shown = cleaned(document)
    groups: dict[str, list[_Line]] = {}
    for line in (*_figures(shown), *_verdicts(shown["verdicts"], shown), *_about(shown)):
        groups.setdefault(line[0], []).append(line)
    help_texts = {name: text for name, _, text in _UNITS.values()} | _HELP
    out = []
    for name, lines in groups.items():
        out += [f"# HELP {name} {help_texts[name]}", f"# TYPE {name} gauge"]
        out += [f"{name}{_labels(labels)} {value!r}" for _, labels, value in lines]
    return "\n".join(out) + "\n"


def dashboard() -> str:
    """The JSON of a Grafana dashboard for these metrics, which asks for its data source."""
    return (Path(__file__).parent / "templates" / "grafana.json").read_text(encoding="utf-8")


_HELP = {
    "aibench_claim_ratio": "Measured over claimed, per unit of the claim.",
    "aibench_verdict": "1 for the verdict that a claim has, 0 for the others.",
    "aibench_last_session_timestamp_seconds": "When the last session began.",
    "aibench_session_counts": "1 when the last session counts, else 0.",
    "aibench_client_hosts": "Hosts that measured together in the last session.",
    "aibench_ranks": "MPI ranks that measured together in the last session.",
    "aibench_info": "Always 1; versions as labels.",
}
_STATUSES = (
    "MET", "NOT_MET", "INCONCLUSIVE", "NOT_TESTABLE_HERE", "NOT_TESTABLE", "REFERENCE_ONLY",
    "CONSISTENT", "INCONSISTENT", "INCONSISTENT_BOUND",
)  # fmt: skip


def _target(document: dict[str, Any]) -> str:
    return str(document["target"]["label"] or document["target"]["path"])


def _figures(document: dict[str, Any]) -> Iterator[_Line]:
    for workload in document["workloads"]:
        for phase in workload["phases"]:
            if not (phase["counts"] and document["run"]["counts"]):
                continue
            place = {
                "target": _target(document),
                "workload": workload["name"],
                "phase": phase["name"],
                "cache": phase["cache_state"] or "",
            }
            for metric in phase["metrics"]:
                if metric["main"] and metric["estimate"] and metric["unit"] in _UNITS:
                    yield from _stats(place, metric)


def _stats(place: dict[str, str], metric: dict[str, Any]) -> Iterator[_Line]:
    name, factor, _ = _UNITS[metric["unit"]]
    for stat, key in _STATS.items():
        value = metric["estimate"][key]
        if value is not None:
            yield name, place | {"metric": metric["name"], "stat": stat}, value * factor


def _verdicts(rows: Iterable[dict[str, Any]], document: dict[str, Any]) -> Iterator[_Line]:
    for row in rows:
        claim = {
            "target": _target(document),
            "claim": row["claim"],
            "interpretation": row["interpretation"]["id"],
        }
        if row["margin"] is not None:
            yield "aibench_claim_ratio", claim, float(row["margin"])
        for status in _STATUSES:
            yield "aibench_verdict", claim | {"verdict": status}, float(row["status"] == status)


def _about(document: dict[str, Any]) -> Iterator[_Line]:
    run, target = document["run"], {"target": _target(document)}
    with suppress(ValueError):  # a record that others wrote may have any text there
        began = datetime.fromisoformat(run["started_at"]).timestamp()
        yield "aibench_last_session_timestamp_seconds", target, began
    yield "aibench_session_counts", target, float(run["counts"])
    if (launch := document["launch"]) is not None:
        yield "aibench_client_hosts", target, float(len(launch["hosts"]))
        yield "aibench_ranks", target, float(launch["ranks"])
    yield "aibench_info", target | {"version": run["aibench_version"], "name": run["name"]}, 1.0


def _labels(labels: dict[str, str]) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{inside}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
