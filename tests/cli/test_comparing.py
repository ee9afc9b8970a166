"""What duel and compare share on the command line: shares, sides, and exit codes."""

from typing import Any

import click
import pytest

from aibench.cli.comparing import exit_code, parse_share
from aibench.cli.options import Following, groups
from aibench.compare import Rules, compare
from aibench.errors import Refused
from aibench.model.comparison import Comparison
from tests.cli.test_commands import refusal
from tests.compare.sides import entrant

FAST = (1100.0, 1120.0, 1090.0, 1105.0, 1110.0, 1095.0)
SLOW = (1000.0, 1010.0, 990.0, 1005.0, 1000.0, 1001.0)
NOISY = (900.0, 1250.0, 1001.0, 1130.0, 960.0, 1010.0)


def duel(*rates: tuple[float, ...]) -> Comparison:
    """A duel of sides with these rates."""
    sides = [entrant("abc"[n], each) for n, each in enumerate(rates)]
    return compare(sides, Rules(), paired=True)


@pytest.mark.parametrize(
    ("rates", "expected", "code"),
    [
        ((FAST, SLOW), None, 0),
        ((FAST, SLOW), "a", 0),
        ((FAST, SLOW), "b", 1),
        ((FAST, SLOW), "equivalent", 1),
        ((SLOW, SLOW), None, 0),
        ((SLOW, SLOW), "equivalent", 0),
        ((SLOW, SLOW), "a", 1),
        ((FAST, NOISY), None, 3),
        ((FAST, NOISY), "a", 3),
        ((FAST, SLOW, SLOW), "a", 0),
        ((FAST, SLOW, NOISY), "a", 3),
        ((FAST, SLOW, FAST), "a", 1),
    ],
)
def test_exit_codes(rates: tuple[tuple[float, ...], ...], expected: str | None, code: int) -> None:
    """0 for an answer, 1 for another one than expected, 3 for none; others' duels don't count."""
    assert exit_code(duel(*rates), expected) == code


def test_a_screen_is_decided_by_all_figures() -> None:
    """Where no figure is a must, the exit code is that of all of them."""
    sides = entrant("a", FAST), entrant("b", SLOW)
    screened = compare(sides, Rules(screen=True), paired=True)
    assert screened.adjustment == "benjamini-hochberg"
    assert [exit_code(screened, each) for each in (None, "a", "b")] == [0, 0, 1]


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.05", 0.05), (" 2.5 % ", 0.025)])
def test_shares(text: str, share: float) -> None:
    """A smallest difference is written as a percentage or as a share."""
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "5", "0", "100%", "-1%", "5 percent", "1e-2", "٥%", "nan"])
def test_what_is_no_share(text: str) -> None:
    """Anything else is refused, with what would be right."""
    with pytest.raises(Refused, match=r"write 5% or 0\.05"):
        parse_share(text)


@pytest.mark.parametrize(
    ("words", "runs", "behind"),
    [
        ("a1 a2 --with b1 b2 --json --with c1", ("a1", "a2"), [["b1", "b2"], ["c1"]]),
        ("--with=b1 b2 --json a1", ("a1",), [["b1", "b2"]]),
        ("--with b1 -- a1 --with", ("a1", "--with"), [["b1"]]),
        ("a1 - --with - b1", ("a1", "-"), [["-", "b1"]]),
    ],
)
def test_all_that_follows_with_is_one_side(
    words: str, runs: tuple[str, ...], behind: list[list[str]]
) -> None:
    """After --with come the runs of one more side, up to the next option."""
    found: dict[str, Any] = {}

    @click.command(cls=Following, following="--with")
    @click.argument("runs", nargs=-1)
    @click.option("--with", "others", multiple=True)
    @click.option("--json", is_flag=True)
    def side(runs: tuple[str, ...], others: tuple[str, ...], json: bool) -> None:
        found.update(runs=runs, behind=groups(others))

    side.main(words.split(), standalone_mode=False)
    assert (found["runs"], found["behind"]) == (runs, behind)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "RUN_A... --with RUN_B..."),
        (("x.jsonl",), "RUN_A... --with RUN_B..."),
        (("--with", "x.jsonl"), "RUN_A... --with RUN_B..."),
        (("a", "--with", "b", "--duel", "c"), "not both"),
        (("--duel", "../../x"), "no run of a duel"),
        (("a", "--with", "b", "--allow-different", "colour"), "colour"),
    ],
)
def test_refusals_of_compare(words: tuple[str, ...], told: str) -> None:
    """A comparison without two sides is refused, with how it is written."""
    assert told in refusal("compare", *words)
