"""Finds a plug-in by name: the built-in tables first, entry points only for other names."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aibench.errors import Refused

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

#: Every built-in plug-in: group -> name -> ``module:attribute``. One line each.
BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "formats": {
        "files": "aibench.formats.plain:FORMAT",
        "jpeg": "aibench.formats.jpeg:FORMAT",
        "npy": "aibench.formats.npy:FORMAT",
        "npz": "aibench.formats.npz:FORMAT",
        "arrow": "aibench.formats.arrow:FORMAT",
        "hdf5": "aibench.formats.hdf5:FORMAT",
        "hdf5-chunked": "aibench.formats.hdf5:CHUNKED",
        "indexed": "aibench.formats.indexed:FORMAT",
        "parquet": "aibench.formats.parquet:FORMAT",
        "tfrecord": "aibench.formats.tfrecord:FORMAT",
        "dcp": "aibench.formats.dcp:FORMAT",
        "ocdbt": "aibench.formats.ocdbt:FORMAT",
        "safetensors": "aibench.formats.safetensors:FORMAT",
        "torch": "aibench.formats.torch:FORMAT",
        "torch_stream": "aibench.formats.torch:STREAM",
        "webdataset": "aibench.formats.webdataset:FORMAT",
        "zarr3": "aibench.formats.zarr3:FORMAT",
    },
    "generators": {
        "block": "aibench.generators.block:KIND",
        "checkpoint_load": "aibench.generators.checkpoint_load:KIND",
        "checkpoint_save": "aibench.generators.checkpoint_save:KIND",
        "ingest": "aibench.generators.ingest:KIND",
        "load": "aibench.generators.load:KIND",
        "metadata": "aibench.generators.metadata:KIND",
        "preprocess": "aibench.generators.preprocess:KIND",
        "serve": "aibench.generators.serve:KIND",
        "soak": "aibench.generators.soak:KIND",
        "train": "aibench.generators.train:KIND",
    },
    "engines": {
        "fio": "aibench.engines.fio:FioEngine",
        "null": "aibench.engines.null:NullEngine",
        "posix": "aibench.engines.posix:PosixEngine",
        "torch": "aibench.engines.torch:TorchEngine",
    },
    "reporters": {
        "csv": "aibench.reporters.csv:render",
        "github": "aibench.reporters.github:render",
        "html": "aibench.reporters.html:render",
        "json": "aibench.reporters.json:render",
        "junit": "aibench.reporters.junit:render",
        "markdown": "aibench.reporters.markdown:render",
        "parquet": "aibench.reporters.parquet:render",
        "prometheus": "aibench.reporters.prometheus:render",
        "pytest-benchmark": "aibench.reporters.benchmarkjson:render",
        "terminal": "aibench.reporters.terminal:render",
    },
    "comparisons": {
        "html": "aibench.reporters.comparison_html:render",
        "json": "aibench.reporters.json:render",
        "markdown": "aibench.reporters.comparison_markdown:render",
        "terminal": "aibench.reporters.comparison_terminal:render",
    },
}

_SINGULAR = {
    "formats": "data format",
    "generators": "workload kind",
    "engines": "engine",
    "reporters": "report format",
    "comparisons": "format of a comparison",
}


def names(group: str) -> tuple[str, ...]:
    """All names of ``group``: built in and installed."""
    installed = {point.name for point in _installed(group)}
    return tuple(sorted(installed | BUILT_IN[group].keys()))


def plugin(group: str, name: str) -> Any:
    """The plug-in ``name`` of ``group``; `Refused` names the known ones when there is none."""
    if (place := BUILT_IN[group].get(name)) is not None:
        module, _, attribute = place.partition(":")
        return getattr(import_module(module), attribute)
    for point in _installed(group):
        if point.name == name:
            return point.load()
    known = ", ".join(BUILT_IN[group])
    raise Refused(f"no {_SINGULAR[group]} {name!r}; built in: {known}")


def _installed(group: str) -> "EntryPoints":
    from importlib.metadata import entry_points  # what is built in does without

    return entry_points(group=f"aibench.{group}")
