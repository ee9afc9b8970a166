"""How many clients claims take, as a document: figures in base units, with the words for them."""

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from aibench.clients import Answer, Client, Need
from aibench.clients.bounds import ALONE, HEADROOM, MEMORY_TIMES, PROOF
from aibench.clients.calls import calls
from aibench.clients.rig import EFFICIENCY, Link
from aibench.units import format_rate, format_size, format_value

FORMAT = 1
#: The needs of one claim, and those that it would have with other links.
Answered = tuple[Sequence[Need], Sequence[tuple[Link, Sequence[Need]]]]


def document(
    client: Client,
    answered: Sequence[Answered],
    sentence: Callable[[str], str],
    target: str | None = None,
    system: str | None = None,
    remarks: Sequence[str] = (),
) -> dict[str, Any]:
    """What `needs` found of several claims; ``sentence`` says what a reason's code means.

    The command lines name ``target`` and the file ``system``; ``remarks`` are of the client.
    """
    return {
        "format": FORMAT,
        "client": {
            "link": client.link.rate,
            "link_source": client.link.source,
            "link_for_data": client.link.useful,
            "memory_bytes": client.memory_bytes,
            "cores": client.cores,
            "ceilings": [
                {"kind": kind, "phase": phase, **asdict(found)}
                for (kind, phase), found in client.ceilings.items()
            ],
            "remarks": list(remarks),
        },
        "assumed": {
            "link_share": EFFICIENCY,
            "headroom": HEADROOM,
            "headroom_to_refute": PROOF,
            "memory_times": MEMORY_TIMES,
        },
        "claims": [_claim(needs, others, sentence, target, system) for needs, others in answered],
    }


def _claim(
    needs: Sequence[Need],
    others: Sequence[tuple[Link, Sequence[Need]]],
    sentence: Callable[[str], str],
    target: str | None,
    system: str | None,
) -> dict[str, Any]:
    claim = needs[0].claim
    readings = []
    for number, need in enumerate(needs):
        found = _reading(need, sentence, target, system)
        found["by_link"] = [
            {"link": way.rate, "clients": each[number].clients,
             "to_refute": each[number].to_refute}
            for way, each in others
            if need.clients is None and each[number].clients is not None
        ]  # fmt: skip
        readings.append(found)
    return {
        "claim": claim.id,
        "title": claim.title,
        "vendor": claim.vendor,
        "product": claim.product,
        "kind": claim.kind.value,
        "testability": claim.testability.value,
        "scope": claim.scope,
        "unit_definition": claim.unit_definition,
        "whole_system": claim.whole_system,
        "units_in_max_config": claim.units_in_max_config,
        "proxy": claim.proxy,
        "untestable_part": claim.untestable_part,
        "readings": readings,
    }


def _reading(
    need: Need, sentence: Callable[[str], str], target: str | None, system: str | None
) -> dict[str, Any]:
    claim = need.claim
    return {
        "id": need.reading.id,
        "note": need.reading.note,
        "metric": claim.metric,
        "direction": claim.direction,
        "value": need.reading.value,
        "unit": claim.unit,
        "printed": _printed(need),
        "each": _each(need),
        "answer": need.answer.value,
        "said": said(need),
        "clients": need.clients,
        "to_refute": need.to_refute,
        "units": need.units,
        "figure": need.figure,
        "bounds": [asdict(bound) for bound in need.bounds],
        "axis": need.axis,
        "levels": [asdict(level) for level in need.levels],
        "operations": need.operations,
        "tests": [{"workload": t.workload, "phase": t.phase} for t in need.tests],
        "data_bytes": need.data_bytes,
        "settings": list(need.settings),
        "runs": need.runs,
        "runs_if_noisy": need.runs_if_noisy,
        "tolerance": claim.tolerance,
        "reasons": [{"code": code, "sentence": sentence(code)} for code in need.reasons],
        "commands": [shlex.join(words) for words in calls(need, target, system)],
    }


def _printed(need: Need) -> str:
    """``at least 400 GB/s``; empty where no number is printed."""
    claim, value = need.claim, need.reading.value
    if value is None or not math.isfinite(value):
        return ""
    least = "at least" if claim.direction == ">=" else "at most"
    return f"{least} {format_value(value, claim.unit)}"


def _each(need: Need) -> float | None:
    """What a figure of the largest system takes from each of its units."""
    claim, value = need.claim, need.reading.value
    if not claim.whole_system or not claim.units_in_max_config or value is None:
        return None
    return value / claim.units_in_max_config


def said(need: Need) -> str:
    """The answer in a sentence."""
    if need.answer is Answer.CLIENTS:
        return _clients(need)
    if need.answer is Answer.LEVELS:
        return _levels(need)
    if need.answer is Answer.ONE:
        more = "" if need.to_refute == 1 else "; it takes a second one to refute it"
        return f"1 client{more}"
    return {
        Answer.SIDES: "the same clients on both sides; 1 suffices where it limits neither",
        Answer.MODEL: "no number of clients: a model projects it from what is measured",
        Answer.LACKING: "no number of clients tests it by itself",
        Answer.NEVER: "not testable by a benchmark of a filesystem",
    }[need.answer]


def _clients(need: Need) -> str:
    if need.claim.scope.casefold() in ALONE:
        short = [bound for bound in need.bounds if bound.clients > 1]
        if not short:
            return "1 client, as the figure is for one"
        return f"1 client, and this one can't: {bound_said(asdict(short[0]))}"
    if need.clients is None:
        return "unknown, as the link of a client is: say it with --nic, such as --nic 100Gbit/s"
    if need.clients == need.to_refute:
        return f"{counted(need.clients, 'client')} can support it or refute it"
    return (
        f"{counted(need.clients, 'client')} can support it, "
        f"{counted(need.to_refute or 2, 'client')} can also refute it"
    )


def _levels(need: Need) -> str:
    sizes = ", ".join(
        f"{level.size}" + (f" ({counted(level.clients, 'client')})" if level.clients else "")
        for level in need.levels
    )
    unknown = any(level.clients is None for level in need.levels)
    more = "; clients grow with them, so that they are the limit of no size" if unknown else ""
    return f"each of these numbers of {need.axis}, in random order: {sizes}{more}"


def counted(number: int, noun: str) -> str:
    """``1 client``, ``2,778 clients``: whole numbers, for so many are to be had."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def bound_said(bound: dict[str, Any]) -> str:
    """What asks for how many clients, with its figures."""
    if bound["what"] == "link":
        demand, each = format_rate(bound["demand"]), format_rate(bound["each"])
        return f"links: {demand} over {each} of each client"
    demand = format_value(bound["demand"], "op/s")
    return f"processors: {demand} over {format_value(bound['each'], 'op/s')} of each client"


def data_said(reading: dict[str, Any]) -> str:
    """How much data has to be there, in a sentence."""
    return (
        f"{format_size(reading['data_bytes'])} of data: {MEMORY_TIMES} times the memory of "
        f"{counted(reading['to_refute'], 'client')} like this one, or more"
    )
