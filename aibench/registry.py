"""Finds a plug-in by name: the built-in tables first, entry points only for other names."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from aibench.errors import Refused

#: Every built-in plug-in: group -> name -> ``module:attribute``. One line each.
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "formats": {
        "files": "aibench.formats.plain:FORMAT",
        "webdataset": "aibench.formats.webdataset:FORMAT",
    },
    "generators": {
        "block": "aibench.generators.block:KIND",
        "checkpoint_load": "aibench.generators.checkpoint_load:KIND",
        "checkpoint_save": "aibench.generators.checkpoint_save:KIND",
        "load": "aibench.generators.load:KIND",
        "metadata": "aibench.generators.metadata:KIND",
    },
    "engines": {
        "fio": "aibench.engines.fio:FioEngine",
        "null": "aibench.engines.null:NullEngine",
        "posix": "aibench.engines.posix:PosixEngine",
    },
    "reporters": {
        "html": "aibench.reporters.html:render",
        "json": "aibench.reporters.json:render",
        "markdown": "aibench.reporters.markdown:render",
        "terminal": "aibench.reporters.terminal:render",
    },
}

_SINGULAR = {
    "formats": "data format",
    "generators": "workload kind",
    "engines": "engine",
    "reporters": "report format",
}


def names(group: str) -> tuple[str, ...]:
    """All names of ``group``: built in and installed."""
    installed = {point.name for point in entry_points(group=f"aibench.{group}")}
    return tuple(sorted(installed | BUILT_IN[group].keys()))


def plugin(group: str, name: str) -> Any:
    """The plug-in ``name`` of ``group``; `Refused` names the known ones when there is none."""
    if (place := BUILT_IN[group].get(name)) is not None:
        module, _, attribute = place.partition(":")
        return getattr(import_module(module), attribute)
    for point in entry_points(group=f"aibench.{group}"):
        if point.name == name:
            return point.load()
    known = ", ".join(BUILT_IN[group])
    raise Refused(f"no {_SINGULAR[group]} {name!r}; built in: {known}")
