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


def test_limits_of_several_phases() -> None:
    """What limited phases, and what to try next, is said once for those that it is true of."""

    def phase(name: str, sentence: str, *figures: str) -> dict[str, Any]:
        why = {"sentence": sentence, "figures": list(figures), "next_step": "try more"}
        return {"name": name, "why": why}

    phases = [phase("read", "slow", "1 s"), phase("scan", "slow", "1 s"), phase("list", "full")]
    phases.append({"name": "stat", "why": None})
    assert list(wording.limits(phases)) == [
        "why read, scan: slow (1 s).",
        "why list: full.",
        "next for read, scan, list: try more.",
    ]
    assert next(iter(wording.limits(phases, brief=True))) == "why read, scan: slow."
    assert wording.limit(phases[0]["why"]) == "slow (1 s). Next: try more."
