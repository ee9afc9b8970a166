"""Storage tests as code: a fixture that measures a mount, and fails in the words of a verdict.

    def test_loads_fast_enough(aibench):
        run = aibench.run("load-4k", repeats=3)
        run.at_least("3000op/s")
        run.at_most("20ms:p99")
        run.not_slower_than_baseline()

``pytest --aibench-target DIR`` says which mount; without it such tests are skipped. Records go
where those of the command line go, so that ``aibench history`` and ``aibench check`` see them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

#: A run that says nothing for so long has hung, whatever its own patience was.
_LIMIT_S = 24 * 3600


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and settings of the plugin."""
    group = parser.getgroup("aibench", "storage tests with aibench")
    group.addoption("--aibench-target", metavar="DIR", help="The directory to measure.")
    group.addoption("--aibench-results", metavar="DIR", help="Where records go.")
    group.addoption("--aibench-baselines", metavar="DIR", help="Where baselines are kept.")
    group.addoption(
        "--aibench-benchmark-json",
        metavar="FILE",
        help="Write what was measured as the JSON of pytest-benchmark.",
    )
    parser.addini("aibench_target", "The directory to measure.")


class Storage:
    """A mount that tests measure. Records are kept in ``results``."""

    def __init__(self, target: str, results: str, baselines: str | None) -> None:
        self.target = target
        self.results = results
        self._baselines = baselines
        self.runs: list[Run] = []

    def run(
        self, workload: str | Path, *options: str, repeats: int = 3, **settings: object
    ) -> "Run":
        """Measure a workload, by name or file; ``options`` go to ``aibench run`` as they are.

        ``settings`` are those of the workload. The test fails where the run is refused or fails.
        """
        words = ["run", self.target, "-w", str(workload), "--repeats", str(repeats), *options]
        for name, value in settings.items():
            words += ["--set", f"{name}={value}"]
        done = self.command(*words, "--results", self.results, "--json")
        if done.returncode not in (0, 1, 3) or not done.stdout:
            _fail(f"aibench {' '.join(words)} ended with {done.returncode}", done.stderr)
        found = Run(self, json.loads(done.stdout))
        self.runs.append(found)
        return found

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """A command of aibench, in a process of its own, to its end."""
        environment = dict(os.environ)
        if self._baselines:
            environment["AIBENCH_BASELINES"] = self._baselines
        return subprocess.run(
            [sys.executable, "-m", "aibench", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )


@dataclass(frozen=True)
class Run:
    """A run of one workload: ``document`` is what ``aibench report --json`` says of it."""

    storage: Storage
    document: dict[str, Any]

    @property
    def path(self) -> str:
        """The record."""
        return os.path.join(self.storage.results, f"{self.document['run']['id']}.jsonl")

    def value(self, metric: str, phase: str | None = None) -> float:
        """The typical value of a figure in its base unit. KeyError where the run has none."""
        for workload in self.document["workloads"]:
            for each in workload["phases"]:
                for figure in each["metrics"]:
                    if figure["name"] == metric and phase in (None, each["name"]):
                        if figure["estimate"] is None:
                            raise KeyError(f"{metric}: {figure['why_missing']}")
                        return float(figure["estimate"]["typical"])
        raise KeyError(metric)

    def at_least(self, *bounds: str) -> None:
        """Fail unless all figures reach ``bounds``, such as ``2GB/s`` or ``3000op/s``.

        What the repeats can't decide fails as well, and says so: a test passes for what was shown.
        """
        self._check([word for bound in bounds for word in ("--at-least", bound)])

    def at_most(self, *bounds: str) -> None:
        """Fail unless no figure passes ``bounds``, such as ``5ms:p99``."""
        self._check([word for bound in bounds for word in ("--at-most", bound)])

    def not_slower_than_baseline(self, *, floor: float = 0.05, confirm: bool = True) -> None:
        """Fail where the run regressed against the sessions before it.

        A suspect is confirmed by two more runs on the same mount unless ``confirm`` is False. With
        too little history the test is skipped, because nothing can be said.
        """
        words = ["--floor", str(floor)]
        words += ["--confirm", self.storage.target] if confirm else []
        self._check(words, skip=("INSUFFICIENT",))

    def _check(self, words: Sequence[str], skip: Iterable[str] = ()) -> None:
        done = self.storage.command(
            "check", self.path, *words, "--results", self.storage.results, "--json"
        )
        if done.returncode not in (0, 1, 3):
            _fail("aibench check can't say", done.stderr)
        document = json.loads(done.stdout)
        if done.returncode == 0:
            return
        told = _told(document)
        wrong = {"OK", "IMPROVED", "MAYBE_IMPROVED"}
        standings = {series["standing"] for series in document["series"]} - wrong
        if standings <= set(skip):
            pytest.skip(told)
        _fail(told)


def _told(document: dict[str, Any]) -> str:
    """The check as its report says it."""
    from aibench.reporters import checks

    return checks.terminal(document, width=100)


def _fail(*parts: str) -> NoReturn:
    pytest.fail("\n".join(filter(None, parts)).rstrip(), pytrace=False)


@pytest.fixture(scope="session")
def aibench(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """The mount that ``--aibench-target`` names; tests that use it are skipped without one."""
    config = request.config
    target = config.getoption("--aibench-target") or config.getini("aibench_target")
    if not target:
        pytest.skip("say which mount to measure: pytest --aibench-target DIR")
    results = config.getoption("--aibench-results") or os.environ.get("AIBENCH_RESULTS")
    baselines = config.getoption("--aibench-baselines")
    storage = Storage(str(target), str(results or "results/runs"), baselines)
    yield storage
    if path := config.getoption("--aibench-benchmark-json"):
        _export(storage, path)


def _export(storage: Storage, path: str) -> None:
    """All runs of the session as one file of pytest-benchmark."""
    from aibench.reporters import benchmarkjson

    made = [json.loads(benchmarkjson.render(run.document)) for run in storage.runs]
    if not made:
        return
    whole = made[0] | {"benchmarks": [each for one in made for each in one["benchmarks"]]}
    Path(path).write_text(json.dumps(whole, indent=1), encoding="utf-8")
