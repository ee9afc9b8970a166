"""The words of a comparison that all formats share."""

from collections.abc import Iterable, Sequence
from typing import Any

from aibench.reporters.wording import counted

#: A symbol beside each word, for those who can't see colour.
SYMBOLS = {
    "FIRST_BETTER": "◀", "SECOND_BETTER": "▶", "EQUIVALENT": "=", "INCONCLUSIVE": "?",
    "SIDE_BY_SIDE": "–",
}  # fmt: skip


def notes(document: dict[str, Any]) -> list[str]:
    """Why there is no answer, then what to know of one: each sentence once, with the figures."""
    return [
        *(f"no answer for {line}" for line in _told(document, ("reasons",))),
        *_told(document, ("dropped", "caveats")),
    ]


def _told(document: dict[str, Any], kinds: Sequence[str]) -> list[str]:
    """Each sentence once; what holds for several sides is told with the letters of all."""
    about: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for figure in document["figures"]:
        for each in figure["differences"]:
            name = f"{figure['workload']} {figure['phase']} {figure['title']}"
            for finding in (finding for kind in kinds for finding in each[kind]):
                side, colon, text = finding["message"].partition(": ")
                alone = not colon or len(side) != 1
                figures, sides = about.setdefault(finding["message"] if alone else text, ({}, {}))
                figures[name] = None
                if not alone:
                    sides[side] = None
    return [
        f"{shortened(list(names))}: {_on(sides)}{text}" for text, (names, sides) in about.items()
    ]


def _on(sides: Iterable[str]) -> str:
    told = ", ".join(sorted(sides))
    return f"{told}: " if told else ""


def shortened(names: Sequence[str]) -> str:
    """The first of ``names``, and how many more there are."""
    unique = list(dict.fromkeys(names))
    return unique[0] if len(unique) == 1 else f"{unique[0]} and {len(unique) - 1} more"


def headline(document: dict[str, Any]) -> str:
    """``2 figures: 1 a better, 1 inconclusive``: how many comparisons ended how."""
    words: dict[str, int] = {}
    for figure in document["figures"]:
        for each in figure["differences"]:
            plain_word = each["word"].replace("clearly ", "")
            words[plain_word] = words.get(plain_word, 0) + 1
    total = sum(words.values())
    if not total:
        return "Nothing could be compared."
    parts = ", ".join(f"{count} {name}" for name, count in words.items())
    return f"{total} {'comparison' if total == 1 else 'comparisons'}: {parts}"


def design(document: dict[str, Any]) -> str:
    """How the runs were laid out, in a sentence."""
    pairs = document["pairs"]
    level = f"{100 * document['confidence']:g} %"
    matters = f"differences from {100 * document['delta']:.3g} % matter"
    if document["design"] == "paired":
        extended = f" (extended by {pairs['extended']})" if pairs["extended"] else ""
        return (
            f"{pairs['complete']} of {pairs['declared']} pairs{extended} in random order, "
            f"{level} intervals of the ratio; {matters}"
        )
    return f"runs of one side after the other, {level} Welch intervals of the ratio; {matters}"


def adjusted(document: dict[str, Any]) -> str:
    """What equivalent means, and how many figures were allowed for."""
    holm = document["adjustment"] == "holm"
    bounded = "any wrong answer" if holm else "the share of wrong answers"
    name = "Holm" if holm else "Benjamini-Hochberg"
    inner = 100 * (2 * document["confidence"] - 1)
    return (
        f"equivalent: the {inner:g} % interval lies within {100 * document['delta']:.3g} % either "
        f"way; answers allow for the number of figures ({name}: {bounded} stays below the level)"
    )


def side_lines(document: dict[str, Any]) -> Iterable[str]:
    """One line a side: its letter, name, mount and product."""
    for side in document["sides"]:
        target, system = side["target"], side["system"]
        product = f", {system['vendor']} {system['product']}" if system else ""
        told = f"{side['name']}, {target['fstype']} on {target['source']}{product}"
        yield f"{side['key']}  {told}, {len(side['runs'])} runs"


def next_steps(document: dict[str, Any]) -> Iterable[str]:
    """What would bring answers where there are none."""
    open_ones = [
        (each["runs_needed"], f"{figure['phase']} {figure['title']}")
        for figure in document["figures"]
        for each in figure["differences"]
        if each["outcome"] == "INCONCLUSIVE" and _undecided(each)
    ]
    if open_ones:
        many = [needed for needed, _ in open_ones]
        step = "more pairs than can be measured"
        if None not in many:
            step = f"about {max(many)} pairs"
        matters = f"{100 * document['delta']:.3g} %"
        names = shortened([name for _, name in open_ones])
        yield f"next for {names}: {step} would show a difference of {matters}"
    if document["design"] == "sequential":
        yield "next: aibench duel measures the targets in pairs, so that drift falls on both"


def _undecided(each: dict[str, Any]) -> bool:
    """Whether it is for want of runs that there is no answer."""
    codes = {finding["code"] for finding in each["reasons"]}
    return bool(codes & {"interval_straddles", "multiplicity", "too_few_runs"})


def remarks(document: dict[str, Any]) -> Iterable[str]:
    """All that is to be known beside the answers, line by line."""
    for each in document["overall"]:
        if each["printed"] is not None:
            many = counted(each["figures"], "figure")
            ratio_of = f"{each['first']} is {each['printed']} times as good as {each['second']}"
            yield f"geometric mean over {many}: {ratio_of} (no verdict)"
    yield adjusted(document)
    yield from notes(document)
    yield from next_steps(document)
    for kind in ("notes", "missing", "differs"):
        yield from (finding["message"] for finding in document[kind])
