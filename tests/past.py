"""Records of many sessions, as they would lie in a directory of results."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aibench.model import Ceiling, RunRecord
from aibench.store import Writer
from tests import build

SECOND = 10**9
_BEGIN = datetime(2026, 1, 1, 3, tzinfo=UTC)


def night(number: int, rate: float = 1.0, *, harness: float = 10.0, **changes: Any) -> RunRecord:
    """The run of one night, ``rate`` times as fast as the usual one; the harness could do more."""
    at = (_BEGIN + timedelta(days=number)).isoformat().replace("+00:00", "Z")
    elapsed = round(SECOND / rate)
    ceiling = Ceiling(operations=1000, bytes=4_096_000, elapsed_ns=round(SECOND / harness))
    measured = build.measurement(
        elapsed_ns=elapsed, first_done_ns=elapsed, last_done_ns=elapsed, series=None, workers=()
    )
    samples = tuple(
        build.sample(repeat, measurement=measured, ceiling=ceiling) for repeat in range(3)
    )
    parts = {"run_id": f"night-{number:04d}", "started_at": at}
    return build.record(*samples, **parts | changes)


def written(directory: Path, records: Sequence[RunRecord]) -> list[Path]:
    """Write all of them; their paths."""
    directory.mkdir(exist_ok=True)
    paths = []
    for record in records:
        writer = Writer(str(directory), replace(record, samples=()), record.samples)
        writer.finish(record.reasons, ())
        paths.append(Path(writer.path))
    return paths
