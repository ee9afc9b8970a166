"""Where the shipped definitions lie: in the checkout, or inside an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def directory(what: str) -> Path:
    """The directory of the shipped ``workloads``, ``claims`` or ``references``."""
    shipped = _PACKAGE / "library" / what
    if shipped.is_dir():
        return shipped
    checkout = _PACKAGE.parent
    return checkout / (what if what == "workloads" else f"results/{what}")


def files(what: str) -> tuple[Path, ...]:
    """The shipped definition files of ``what``, by name."""
    return tuple(sorted(directory(what).glob("*.toml")))
