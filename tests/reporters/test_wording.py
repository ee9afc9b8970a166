"""Figures, states and findings as people read them."""

from typing import Any

from aibench.reporters import wording


def test_findings_of_several_phases() -> None:
    """What holds for several phases is said once, and each verb agrees with its subject."""

    def phase(name: str, *repeats: int) -> dict[str, Any]:
        missed = [{"code": "cold", "message": "read warm", "repeats": list(repeats)}]
        return {
            "name": name,
            "repeats": {"done": 3},
            "reasons": missed if repeats else [],
            "warnings": [{"code": "short", "message": "too short", "repeats": [0, 1, 2]}],
        }

    phases = [phase("read", 0, 1, 2), phase("scan", 1), phase("list", 0, 2), phase("stat")]
    assert list(wording.findings(phases)) == [
        "read does not count: read warm.",
        "scan, repeat 2, does not count: read warm.",
        "list, repeats 1, 3, do not count: read warm.",
        "read, scan, list, stat: too short (repeats 1, 2, 3).",
    ]
    both = [phase("read", 0, 1, 2), phase("scan", 0, 1, 2)]
    assert next(iter(wording.findings(both))) == "read, scan do not count: read warm."
