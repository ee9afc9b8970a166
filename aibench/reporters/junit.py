"""JUnit's XML, which every CI system shows: a test case for each claim, phase or series."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

from aibench.reporters import wording
from aibench.reporters.clean import cleaned

#: What becomes of a case that decided nothing: it is skipped, fails or passes.
INCONCLUSIVE = ("skip", "fail", "pass")
_PASSED = frozenset({"MET", "OK", "IMPROVED", "MAYBE_IMPROVED", "CONSISTENT"})
_FAILED = frozenset({"NOT_MET", "REGRESSED", "MISSED_BOUND", "INCONSISTENT", "INCONSISTENT_BOUND"})
#: What is no answer for a reason that more runs would not change.
_BESIDE = frozenset({"REFERENCE_ONLY", "NOT_TESTABLE", "NOT_TESTABLE_HERE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    name: str
    suite: str
    status: str
    told: str
    properties: dict[str, Any] = field(default_factory=dict)


def render(
    document: dict[str, Any], *, width: int = 80, color: bool = False, inconclusive: str = "skip"
) -> str:
    """``document`` (of a run, or of a check) as JUnit XML.

    Not met and regressed are failures, a phase that does not count is an error, and what decided
    nothing is what ``inconclusive`` says. ``width`` and ``color`` have no meaning here.
    """
    del width, color
    shown = cleaned(document)
    cases = list(_checked(shown) if shown["kind"] == "check" else _reported(shown))
    root = ET.Element("testsuites", name="aibench")
    for suite in dict.fromkeys(case.suite for case in cases):
        _suite(root, suite, [case for case in cases if case.suite == suite], inconclusive, shown)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(
        root, encoding="unicode"
    ) + "\n"  # fmt: skip


def _suite(
    root: ET.Element,
    name: str,
    cases: list[_Case],
    inconclusive: str,
    shown: dict[str, Any],
) -> None:
    suite = ET.SubElement(root, "testsuite", name=name, timestamp=shown["run"]["started_at"])
    counts = {"tests": len(cases), "failures": 0, "errors": 0, "skipped": 0}
    for case in cases:
        element = ET.SubElement(suite, "testcase", classname=case.suite, name=case.name)
        told = {name: str(value) for name, value in case.properties.items() if value is not None}
        if told:
            properties = ET.SubElement(element, "properties")
            for key, value in told.items():
                ET.SubElement(properties, "property", name=key, value=value)
        outcome = _outcome(case.status, inconclusive)
        if outcome is not None:
            counts[{"failure": "failures", "error": "errors", "skipped": "skipped"}[outcome]] += 1
            ET.SubElement(element, outcome, message=case.status).text = case.told
    for key, count in counts.items():
        suite.set(key, str(count))


def _outcome(status: str, inconclusive: str) -> str | None:
    if status in _PASSED:
        return None
    if status in _FAILED:
        return "failure"
    if status == "ERROR":
        return "error"
    if status in _BESIDE:
        return "skipped"
    return {"skip": "skipped", "fail": "failure", "pass": None}[inconclusive]


def _reported(document: dict[str, Any]) -> Iterator[_Case]:
    label = document["target"]["label"] or document["target"]["path"]
    for row in document["verdicts"]:
        name = f"{row['claim']}:{row['interpretation']['id']}"
        why = "; ".join(reason["message"] for reason in row["reasons"])
        told = ". ".join(filter(None, (why, row["next_step"] and f"Next: {row['next_step']}")))
        measured = row["measured"] or {}
        yield _Case(
            name=f"{name} {row['title']}",
            suite=f"{label} claims",
            status=row["status"],
            told=told,
            properties={
                "claimed": row["claimed"] and row["claimed"]["value"],
                "bound": row["bound"] and row["bound"]["value"],
                "value": measured.get("typical"),
                "low": measured.get("low"),
                "high": measured.get("high"),
                "n": row["n"],
                "unit": row["unit"],
            },
        )
    for workload in document["workloads"]:
        yield from _phases(f"{label} {workload['name']}", workload["phases"], document["run"])


def _phases(suite: str, phases: Iterable[dict[str, Any]], run: dict[str, Any]) -> Iterator[_Case]:
    """A measured phase passes by counting; its figures are properties."""
    for phase in phases:
        counts = phase["counts"] and run["counts"]
        reasons = [*run["reasons"], *phase["reasons"]]
        properties = {}
        for metric in wording.main_figures(phase):
            found = metric["estimate"]
            if found:
                properties[f"{metric['name']} [{metric['unit']}]"] = found["typical"]
        yield _Case(
            name=phase["name"],
            suite=suite,
            status="OK" if counts else "ERROR",
            told="; ".join(reason["message"] for reason in reasons) or "nothing was measured",
            properties=properties,
        )


def _checked(document: dict[str, Any]) -> Iterator[_Case]:
    for series in document["series"]:
        yield _Case(
            name=series["name"],
            suite=f"{document['run']['label']} regression",
            status=series["standing"],
            told="; ".join(step["told"] for step in series["steps"]),
            properties={
                name: series[name] for name in ("value", "level", "low", "high", "n", "unit")
            },
        )
