"""The words about what a phase was asked to do."""

from collections.abc import Iterable, Iterator
from typing import Any

from aibench.reporters import feeding
from aibench.reporters.wording import counted
from aibench.units import format_duration, format_size, format_size_binary, format_value

_SYNC = {"none": "no fsync", "end": "fsync", "commit": "fsync, rename, fsync dir"}


def asked(phase: dict[str, Any]) -> str:
    """What a phase was asked to do, in one line."""
    settings = phase["asked"]
    parts = [workers(settings), population(settings), *_reading(settings), settings["order"]]
    if settings["accelerators"]:
        parts.insert(0, feeding.asked(settings))
    if settings["depth"] > 1:
        parts.append(f"queue depth {settings['depth']}")
    if phase["reads"] or phase["writes"]:
        parts.append(f"{format_size_binary(settings['io_size'])} a call")
    if settings["batch"] > 1:
        parts.append(f"batches of {settings['batch']}")
    if phase["reads"]:
        parts.append(f"cache {settings['cache']}")
    if phase["writes"]:
        parts.append(_SYNC[settings["sync"]])
    if settings["shift"]:
        parts.append("read by other processes than the writers")
    if settings.get("hosts"):
        parts.append(f"by {counted(settings['hosts'], 'host')}")
    if settings["runtime_ns"]:
        parts.append(f"for {format_duration(settings['runtime_ns'])}")
    return ", ".join(parts)


def each(phases: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What was asked, once for all phases that were asked alike.

    Of the levels of a sweep the first one tells all but what they differ in.
    """
    alike: dict[str, list[str]] = {}
    levels: dict[str, list[dict[str, Any]]] = {}
    for phase in phases:
        if phase.get("levels"):
            levels.setdefault(phase["question"], []).append(phase)
        else:
            alike.setdefault(asked(phase), []).append(phase["name"])
    for told, names in alike.items():
        yield f"{', '.join(names)}: {told}."
    for found in levels.values():
        axes = " and ".join(level["name"] for level in found[0]["levels"])
        more = f" ({counted(len(found), 'level')} of {axes})" if len(found) > 1 else ""
        yield f"{found[0]['name']}{more}: {asked(found[0])}."


def _reading(settings: dict[str, Any]) -> list[str]:
    """The format and who is imitated in reading it, where it is not plain; the offered rate."""
    told = []
    if settings["reader"] and (settings["format"], settings["reader"]) != ("files", "stat"):
        told.append(f"format {settings['format']} read as by {settings['reader']}")
    if settings["rate"]:
        told.append(f"{format_value(settings['rate'], 'op/s')} asked for")
    return told


def workers(settings: dict[str, Any]) -> str:
    """``4 processes × 2 threads``."""
    return f"{counted(settings['processes'], 'process')} × {counted(settings['threads'], 'thread')}"


def population(settings: dict[str, Any]) -> str:
    """``50.0 k files of 115 kB in the mean``."""
    sizes = settings["sizes"]
    each = "" if settings["files"] == 1 else " each"
    many = settings["samples_per_file"]
    mean = f"{many} × {format_size(sizes['mean'])}" if many > 1 else format_size(sizes["mean"])
    size = f"{mean}{each}" if sizes["distribution"] == "fixed" else f"{mean} in the mean"
    return f"{counted(settings['files'], 'file')} of {size}"
