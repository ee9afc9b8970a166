"""What a workload is set to: its file, then its suite, then ``--set``, then ``--scale``."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aibench.definition.source import line_of, parse, toml
from aibench.definition.workloads import WorkloadFile
from aibench.errors import DefinitionError, Refused
from aibench.generators.kind import Kind
from aibench.registry import plugin


def kind_of(file: WorkloadFile) -> Kind:
    """The kind of a workload. `DefinitionError` names its line when there is none such."""
    try:
        kind: Kind = plugin("generators", file.workload.kind)
    except Refused as error:
        place = f"{file.path}:{line_of(file.text, ('kind',))}"
        raise DefinitionError([f"{place}: kind: {error}"]) from error
    return kind


def given(file: WorkloadFile, kind: Kind, suite: str | None) -> tuple[dict[str, Any], int]:
    """The file's own settings in ``suite``, and its repeats; all its suites are checked."""
    params = file.workload.params
    parse(kind.settings, params, file.path, file.text, ("params",))
    mistakes: list[str] = []
    for name, table in file.suite.items():
        changes = {key: value for key, value in table.items() if key != "repeats"}
        repeats = table.get("repeats", 1)
        if isinstance(repeats, bool) or not isinstance(repeats, int) or not 1 <= repeats <= 1000:
            line = line_of(file.text, ("suite", name, "repeats"))
            place = f"{file.path}:{line}: suite.{name}.repeats"
            mistakes.append(f"{place}: has to be a whole number from 1 to 1000, not {repeats!r}")
        try:
            parse(kind.settings, {**params, **changes}, file.path, file.text, ("suite", name))
        except DefinitionError as error:
            mistakes += error.mistakes
    if mistakes:
        raise DefinitionError(mistakes)
    chosen = dict(file.suite.get(suite or "", {}))
    repeats = chosen.pop("repeats", file.workload.repeats)
    return {**params, **chosen}, repeats


def overrides(given: Sequence[str], files: Sequence[WorkloadFile]) -> dict[str, dict[str, Any]]:
    """``--set`` values by workload; the name ``*`` stands for all. `Refused` for what is none."""
    names = {file.workload.name for file in files}
    found: dict[str, dict[str, Any]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise Refused(f"--set {text!r}: write key=value or workload.key=value")
        owner, dot, inner = key.strip().rpartition(".")
        if dot and owner not in names:
            raise Refused(
                f"--set {text!r}: no workload {owner!r} in this run; it has "
                f"{', '.join(sorted(names))}"
            )
        found.setdefault(owner or "*", {})[inner] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    try:
        return toml(f"value = {text}")["value"]
    except ValueError:
        return text


def settings(
    file: WorkloadFile,
    kind: Kind,
    chosen: Mapping[str, Any],
    scale: float,
    overrides: Mapping[str, Mapping[str, Any]],
) -> Any:
    """The kind's settings: those ``chosen``, then ``--set``, then ``--scale``."""
    known = kind.settings.model_fields
    shared = {key: value for key, value in overrides.get("*", {}).items() if key in known}
    own = overrides.get(file.workload.name, {})
    name = f"--set ({file.workload.name})"
    checked = parse(kind.settings, {**chosen, **shared, **own}, name)
    if scale == 1.0:
        return checked
    scaled = {name: _scaled(getattr(checked, name), scale) for name in kind.scaled}
    return checked.model_copy(update=scaled)


def unknown(shared: Mapping[str, Any], files: Sequence[WorkloadFile]) -> list[str]:
    """A line for each key of ``--set`` that no workload of this run has."""
    known: set[str] = set()
    for file in files:
        with suppress(DefinitionError):
            known |= set(kind_of(file).settings.model_fields)
    return [
        f"--set {key}: unknown key; known: {', '.join(sorted(known))}"
        for key in shared
        if key not in known
    ]


def _scaled(value: float, scale: float) -> float:
    return max(round(value * scale), 1) if isinstance(value, int) else value * scale
