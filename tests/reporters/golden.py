"""Compares a whole report with the file that holds what it should be."""

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "golden" / "reporters"


def assert_golden(name: str, actual: str) -> None:
    """Fails where ``actual`` differs from the golden file; saves it beside as ``.actual``."""
    golden, saved = FOLDER / name, FOLDER / f"{name}.actual"
    expected = golden.read_text(encoding="utf-8") if golden.exists() else None
    if actual == expected:
        saved.unlink(missing_ok=True)
        return
    saved.write_text(actual, encoding="utf-8")
    raise AssertionError(f"{name} is not as expected; compare it with {saved.name} beside it")
