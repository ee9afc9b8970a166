"""Plug-ins are found by name: the built-in ones first, installed ones where the name is new."""

from importlib import metadata
from pathlib import Path

import pytest

from aibench.errors import Refused
from aibench.formats.format import Format
from aibench.generators.kind import Kind
from aibench.registry import BUILT_IN, names, plugin

ALL = [(group, name) for group, table in BUILT_IN.items() for name in table]


@pytest.mark.parametrize(("group", "name"), ALL)
def test_every_built_in_plugin_is_there(group: str, name: str) -> None:
    """Each line of the registry leads to something of that name that can be used."""
    found = plugin(group, name)
    if group == "generators":
        assert isinstance(found, Kind)
        assert found.name == name
        assert found.summary
        assert found.engine in BUILT_IN["engines"]
        assert set(found.scaled) <= set(found.settings.model_fields)
    elif group == "formats":
        assert isinstance(found, Format)
        assert found.name == name
        assert found.summary
        assert found.readers
    elif group == "engines":
        assert found().name == name
    else:
        assert callable(found)


@pytest.mark.parametrize("group", list(BUILT_IN))
def test_an_unknown_name_lists_the_known_ones(group: str) -> None:
    """A name that nobody has is refused with those that exist."""
    with pytest.raises(Refused, match=r"no .* 'foo'; built in: ") as refused:
        plugin(group, "foo")
    assert all(name in str(refused.value) for name in BUILT_IN[group])


def install(directory: Path, name: str) -> None:
    """A package in ``directory`` that brings an engine called ``name``."""
    (directory / "elsewhere.py").write_text("class Other:\n    name = 'other'\n")
    info = directory / "elsewhere-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[aibench.engines]\n{name} = elsewhere:Other\n")


def test_an_installed_plugin_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package can bring an engine by an entry point, and it is listed with the others."""
    install(tmp_path, "other")
    monkeypatch.syspath_prepend(tmp_path)
    assert plugin("engines", "other").name == "other"
    assert names("engines") == ("fio", "null", "other", "posix", "torch")


def test_a_built_in_name_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package can't replace a built-in engine by its name."""
    install(tmp_path, "posix")
    monkeypatch.syspath_prepend(tmp_path)
    assert {point.name for point in metadata.entry_points(group="aibench.engines")} == {"posix"}
    assert plugin("engines", "posix").__module__ == "aibench.engines.posix"
