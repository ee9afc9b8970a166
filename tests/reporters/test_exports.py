"""Exports are read back by those who will read them: pandas, JUnit's and Prometheus' parsers."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from junitparser import JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from aibench import frames
from aibench.errors import Refused
from aibench.history import check, histories, rows
from aibench.reporters import (
    benchmarkjson,
    checks,
    csv,
    github,
    junit,
    parquet,
    prometheus,
)
from aibench.reporters.document import document
from tests import build, past
from tests.reporters import hostile, records, verdicts


def told(record: Any = None, *, judged: bool = True) -> dict[str, Any]:
    """The document of a run with many verdicts."""
    return document(record or records.many(), verdicts.verdicts() if judged else ())


def a_check(rate: float) -> dict[str, Any]:
    """The document of a check after a quiet history."""
    nights = [past.night(number, 1 + 0.004 * (-1) ** number) for number in range(12)]
    known = histories([rows(night) for night in nights])
    night = past.night(20, rate)
    own = {each.id.key: each.sessions[0] for each in histories([rows(night)])}
    return checks.document(night, [check(each, own[each.id.key]) for each in known])


def figures_of(shown: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """(name, value) of all figures in a document."""
    for workload in shown["workloads"]:
        for phase in workload["phases"]:
            for metric in phase["metrics"]:
                yield from ((metric["name"], v) for v in metric["values"] if v is not None)


def test_csv_and_parquet_are_the_same_table() -> None:
    """Pandas reads the same rows from both, one for each figure of the document, none missing."""
    shown = told()
    from_csv = pd.read_csv(io.StringIO(csv.render(shown)))
    from_parquet = pd.read_parquet(io.BytesIO(parquet.render(shown)))
    assert list(from_csv.columns) == list(from_parquet.columns) == list(frames.FIGURES)
    rows_ = list(zip(from_parquet["metric"], from_parquet["value"], strict=True))
    assert rows_ == list(figures_of(shown))
    assert from_csv["value"].tolist() == pytest.approx(from_parquet["value"].tolist())
    assert from_parquet["repeat"].dtype == "int64"
    assert from_parquet["counts"].dtype == "bool"
    assert not from_parquet["value"].isna().any()


def test_what_does_not_count_is_marked() -> None:
    """Figures of an interrupted run are in the table, and none of them counts."""
    table = frames.figures([told(records.interrupted(), judged=False)])
    assert len(table)
    assert not table["counts"].any()


def test_verdicts_as_a_table() -> None:
    """A row for each verdict, with its codes."""
    table = frames.verdicts([told()])
    assert list(table.columns) == list(frames.VERDICTS)
    assert table["status"].tolist() == [row["status"] for row in told()["verdicts"]]


def test_no_formula_gets_into_a_spreadsheet() -> None:
    """A label that a spreadsheet would compute is given as text."""
    record = build.record(target=build.target(label="=HYPERLINK(1)"))
    table = pd.read_csv(io.StringIO(csv.render(document(record, ()))))
    assert set(table["label"]) == {"'=HYPERLINK(1)"}
    assert "=HYPERLINK" not in {
        line.split(",")[2] for line in csv.render(document(record, ())).splitlines()
    }


def outcomes(text: str) -> dict[str, str]:
    """Name -> what JUnit's parser says of it: passed, or the kind of its result."""
    found = {}
    for suite in JUnitXml.fromstring(text.encode()):
        for case in suite:
            found[case.name] = type(case.result[0]).__name__ if case.result else "passed"
        assert suite.tests == len(list(suite))
        assert suite.failures == sum(
            bool(c.result) and "Failure" in str(type(c.result[0])) for c in suite
        )
    return found


@pytest.mark.parametrize(
    ("inconclusive", "kind"), [("skip", "Skipped"), ("fail", "Failure"), ("pass", "passed")]
)
def test_junit_of_a_run(inconclusive: str, kind: str) -> None:
    """Met passes, not met fails, inconclusive is as asked, and what does not concern is skipped."""
    shown = told()
    found = outcomes(junit.render(shown, inconclusive=inconclusive))
    expected = {"MET": "passed", "NOT_MET": "Failure", "INCONCLUSIVE": kind}
    for row in shown["verdicts"]:
        name = f"{row['claim']}:{row['interpretation']['id']} {row['title']}"
        assert found[name] == expected.get(row["status"], "Skipped")


def test_junit_of_a_run_that_does_not_count() -> None:
    """The phases of an interrupted run are errors, with the reason."""
    text = junit.render(told(records.interrupted(), judged=False))
    assert set(outcomes(text).values()) == {"Error"}


def test_junit_of_a_check() -> None:
    """A suspect is skipped by default and can fail; a series like before passes."""
    assert sorted(outcomes(junit.render(a_check(0.8))).values()) == [
        "Skipped",
        "Skipped",
        "passed",
        "passed",
    ]
    assert set(outcomes(junit.render(a_check(1.0), inconclusive="fail")).values()) == {"passed"}


def families(text: str) -> dict[str, list[Any]]:
    """What Prometheus' own parser reads."""
    return {each.name: each.samples for each in text_string_to_metric_families(text)}


def test_prometheus() -> None:
    """Every figure that counts comes back in base units; each claim has exactly one verdict."""
    shown = told()
    found = families(prometheus.render(shown))
    rates = found["aibench_throughput_bytes_per_second"]
    points = [s.value for s in rates if s.labels["stat"] == "point"]
    main = [
        metric["estimate"]["typical"]
        for workload in shown["workloads"]
        for phase in workload["phases"]
        for metric in phase["metrics"]
        if metric["unit"] == "B/s" and metric["main"] and metric["estimate"] and phase["counts"]
    ]
    assert points == pytest.approx(main)
    assert max(s.value for s in found["aibench_time_seconds"]) < 1e5
    verdicts_ = found["aibench_verdict"]
    assert sum(s.value for s in verdicts_) == len(shown["verdicts"])
    assert not any("run" in s.labels for samples in found.values() for s in samples)


def test_prometheus_takes_no_time_stamps() -> None:
    """No sample has a time stamp, which the textfile collector would refuse."""
    for samples in families(prometheus.render(told())).values():
        assert all(sample.timestamp is None for sample in samples)
    assert prometheus.render(told()).endswith("\n")


def test_the_dashboard_asks_for_what_is_exported() -> None:
    """Each metric in the dashboard is one that reports export, and its panels don't overlap."""
    dashboard = json.loads(prometheus.dashboard())
    names = set(families(prometheus.render(told()))) | {"aibench_share_ratio", "aibench_size_bytes"}
    assert dashboard["schemaVersion"] >= 36
    cells = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert any(name in target["expr"] for name in names), target["expr"]
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        assert max(x for x, _ in own) < 24
        cells |= own
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_grafana_knows_the_dashboard() -> None:
    """Grafana's own library reads the dashboard and keeps all panels, queries and variables."""
    dashboard = json.loads(prometheus.dashboard())
    known = Dashboard.from_json(dashboard)
    written = json.loads(JSONEncoder().encode(known))
    for key in ("title", "uid", "panels", "templating", "time", "schemaVersion"):
        assert contains(written[key], dashboard[key]), key


def contains(whole: Any, part: Any) -> bool:
    """Whether all of ``part`` is in ``whole``, which may say more."""
    if isinstance(part, dict):
        return all(key in whole and contains(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return bool(whole == part)


def test_github_annotations() -> None:
    """At most ten of each level, the level follows the verdict, and no message breaks its line."""
    shown = told()
    many = shown | {"verdicts": shown["verdicts"] * 12}
    lines = github.render(many).splitlines()
    for level in ("error", "warning", "notice"):
        assert sum(line.startswith(f"::{level} ") for line in lines) <= 10
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)
    assert any(line.startswith("::error title=not met") for line in lines)
    (suspect,) = [
        line for line in github.render(a_check(0.8)).splitlines() if "read_bandwidth" in line
    ]
    assert suspect.startswith("::warning title=suspect%2C not confirmed%3A load-demo/read")


def test_github_summary_has_its_limit() -> None:
    """The summary of a huge report stays under 1 MiB, and says that it was cut."""
    shown = told()
    huge = shown | {"verdicts": shown["verdicts"] * 2000}
    made = github.summary(huge)
    assert len(made.encode()) <= github.LARGEST_SUMMARY
    assert made.endswith("(cut off: the whole is in the report)\n")
    assert github.summary(shown).startswith("### aibench")


def test_nothing_hostile_steers_an_export() -> None:
    """Texts of a record end no line, element or label: each parser still reads what there is."""
    shown = document(hostile.hostile(), [hostile.hostile_verdict()])
    assert outcomes(junit.render(shown))
    assert families(prometheus.render(shown))
    assert len(pd.read_csv(io.StringIO(csv.render(shown)))) == len(list(figures_of(shown)))
    for line in github.render(shown).splitlines():
        assert line.startswith("::")
        assert line.count("::") >= 2


def test_pytest_benchmark_reads_it(tmp_path: Path) -> None:
    """`pytest-benchmark compare` shows each phase with its times."""
    path = tmp_path / "0001_run.json"
    path.write_text(benchmarkjson.render(told()))
    done = subprocess.run(
        [sys.executable, "-c", "from pytest_benchmark.cli import main; main()", "compare",
         "--sort=mean", "--columns=min,median,mean,rounds", str(path)],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(path.read_text())["benchmarks"]
    assert len(found) > 3
    for each in found:
        assert each["name"] in done.stdout.replace("\n", "")
        assert each["stats"]["rounds"] == len(each["stats"]["data"])


def test_parquet_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is missing the message says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Refused, match="pip install"):
        parquet.render(told())


def test_samples_that_do_not_count_are_not_exported_to_prometheus() -> None:
    """A run that does not count exports that it does not, and no figure."""
    failed = replace(records.interrupted())
    found = families(prometheus.render(document(failed, ())))
    assert found["aibench_session_counts"][0].value == 0
    assert "aibench_throughput_bytes_per_second" not in found
