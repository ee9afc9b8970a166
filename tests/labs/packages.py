"""Which Debian packages the labs need, and which of them this machine lacks."""

import subprocess
from pathlib import Path

LIST = Path(__file__).resolve().parents[2] / "scripts/labs/packages.txt"


def section(name: str) -> tuple[str, ...]:
    """The packages that ``scripts/labs/packages.txt`` lists under ``# name: …``."""
    _, found, rest = LIST.read_text().partition(f"\n# {name}:")
    if not found:
        raise KeyError(name)
    lines = rest.partition("\n\n")[0].splitlines()[1:]
    return tuple(line for line in lines if not line.startswith("#"))


def missing(*packages: str) -> tuple[str, ...]:
    """Those of ``packages`` that are not installed: all of them where there is no dpkg."""
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *packages]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=False)
    except OSError:
        return packages
    listed = (line.split() for line in done.stdout.splitlines())
    installed = {name for status, name in listed if status == "installed"}
    return tuple(package for package in packages if package not in installed)
