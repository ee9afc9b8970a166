"""The marked code blocks of the README, for the tests that run them."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def block(name: str) -> str:
    """The code block that follows ``<!-- test: name -->``."""
    match = re.search(rf"<!-- test: {name} -->\n```\w+\n(.*?)```", README.read_text(), re.DOTALL)
    assert match is not None, f"the README has no block marked {name}"
    return match.group(1)


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    text = README.read_text().split(f"## {heading}\n", 1)[1]
    rows = [line for line in text.split("\n## ", 1)[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]
