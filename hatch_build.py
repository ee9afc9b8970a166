"""Compiles the innermost loop where that is possible; an installation goes on without it."""

import platform
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

_SOURCE = "aibench/_reading.c"
_LIBRARY = "aibench/_reading.abi3.so"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the library into a wheel, or beside its source where that is what gets installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say in the wheel's tag what it needs then; else say why not."""
        top = Path(self.root)
        beside = top / _LIBRARY
        if version == "editable":
            beside.unlink(missing_ok=True)
        self._place = tempfile.TemporaryDirectory()
        try:
            built = _compiled(top / _SOURCE, Path(self._place.name))
        except (BaseError, CCompilerError, OSError) as error:
            self.app.display_warning(
                f"aibench: reading is not compiled, and costs more CPU time: {error}"
            )
            return
        if version == "editable":
            beside.write_bytes(built.read_bytes())
            return
        build_data["force_include"][str(built)] = _LIBRARY
        build_data["pure_python"] = False
        tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{tag}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what is in the wheel by now."""
        del version, build_data, artifact_path
        self._place.cleanup()


def _compiled(source: Path, place: Path) -> Path:
    """The library, in ``place``. An error of setuptools, or OSError, where it can't be built."""
    if platform.system() != "Linux" or platform.python_implementation() != "CPython":
        raise OSError("only CPython on Linux has what it needs")
    extension = Extension("_reading", [str(source)], py_limited_api=True)
    command = build_ext(Distribution({"name": "aibench", "ext_modules": [extension]}))
    command.build_lib, command.build_temp = str(place), str(place / "objects")
    command.ensure_finalized()
    command.run()
    return place / command.get_ext_filename("_reading")
