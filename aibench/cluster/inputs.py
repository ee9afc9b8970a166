"""What is known of a cluster and its storage, how well, and from where."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from aibench.cluster.comparison import INPUTS
from aibench.cluster.ranges import Range, exactly

#: ``measured`` here, ``assumed`` by the user or by a preset, or ``solved`` for.
Origin = Literal["measured", "assumed", "solved"]

#: What goes into utilisation and hours, beside the inputs of a comparison.
MORE = {
    "step_utilisation": "utilisation within a step (MFU)",
    "scheduling": "share of the time that the cluster is scheduled",
    "useful_time": "useful work of the whole job",
}
#: The base unit of each input; ``1`` where it is a plain number.
UNITS = {
    "mtbf": "s", "failures_per_node_day": "1/d", "checkpoint_bytes": "B", "fixed_restart": "s",
    "bytes_per_parameter": "B", "write": "B/s", "read": "B/s", "load": "s",
    "utilisation": "share", "snapshot": "s", "interval": "s", "extra_restart": "s",
    "step_utilisation": "share", "scheduling": "share", "useful_time": "s",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input by its name, the range that it lies in, and where that comes from.

    Where it is ``settled`` no preset widens that range.
    """

    name: str
    range: Range
    origin: Origin
    source: str
    settled: bool = False

    @property
    def title(self) -> str:
        """What it is."""
        return (INPUTS | MORE)[self.name]

    @property
    def unit(self) -> str:
        """Its base unit: ``s``, ``B``, ``B/s``, ``share``, ``1/d`` or ``1``."""
        stem = self.name.removeprefix("baseline_").removeprefix("candidate_")
        return UNITS.get(stem, "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A figure that is assumed where nobody says better: its range, and who says so."""

    range: Range
    source: str


#: Failures per node and day, by the cluster that they were counted on.
FAILURES: Mapping[str, Preset] = {
    "rsc-1": Preset(
        range=exactly(6.5e-3),
        source="preset rsc-1: Meta's research cluster 1, 6.50 in 1,000 node-days "
        "(arXiv:2410.21680)",
    ),
    "rsc-2": Preset(
        range=exactly(2.34e-3),
        source="preset rsc-2: Meta's research cluster 2, 2.34 in 1,000 node-days "
        "(arXiv:2410.21680)",
    ),
    "mlcommons": Preset(
        range=exactly(8 * 24 / 50_000),
        source="preset mlcommons: one in 50,000 h of an accelerator, 8 accelerators a node "
        "(MLPerf Storage v2.0 release)",
    ),
}
#: How much sooner jobs on 1,024 accelerators failed than the rate of single nodes implies.
SOONER = 4.0
_SOONER_NOTE = "; a quarter of the time is looked at too (7.9 h measured where rates imply 28.8 h)"

#: What else is assumed where it is not given.
ASSUMED: Mapping[str, Preset] = {
    "bytes_per_parameter": Preset(
        range=Range(low=12, typical=14, high=18),
        source="preset: weights in 2 bytes, their copy and two moments in 4 each; recipes have "
        "12 to 18",
    ),
    "fixed_restart": Preset(
        range=Range(low=300, typical=600, high=1200),
        source="preset: restarts of Meta's clusters, 5 to 20 min (arXiv:2410.21680)",
    ),
    "fan_out": Preset(
        range=exactly(1),
        source="preset: one replica reads the checkpoint and passes it on (arXiv:2402.15627)",
    ),
    "step_utilisation": Preset(
        range=Range(low=0.38, typical=0.41, high=0.43),
        source="preset llama-3: 38 to 43 % (arXiv:2407.21783)",
    ),
    "scheduling": Preset(range=exactly(1), source="preset: always scheduled"),
}
#: What is assumed of a storage where it is not given.
STORAGE_ASSUMED: Mapping[str, Preset] = {
    "load": Preset(range=exactly(0), source="not given: taken as nothing"),
    "utilisation": Preset(range=exactly(1), source="not given: no waiting for data"),
}


def sooner(given: Input) -> Input:
    """``given``, a failure rate or the time between failures, with up to four times the failures.

    A range that was given, or is settled, stays as it is.
    """
    if given.settled or given.range.is_open:
        return given
    value = given.range.typical
    wide = (
        Range(low=value / SOONER, typical=value, high=value)
        if given.name == "mtbf"
        else Range(low=value, typical=value, high=value * SOONER)
    )
    return replace(given, range=wide, source=given.source + _SOONER_NOTE)


def completed(given: Mapping[str, Input]) -> dict[str, Input]:
    """``given`` with what is assumed of everything that is missing and can be assumed.

    The size of the cluster, of the checkpoint and the bandwidths can't be.
    """
    found = dict(given)
    if "mtbf" not in found and "failures_per_node_day" not in found:
        _assume(found, "failures_per_node_day", FAILURES["rsc-1"])
    for name in ("mtbf", "failures_per_node_day"):
        if name in found:
            found[name] = sooner(found[name])
    for name, preset in ASSUMED.items():
        if name != "bytes_per_parameter" or "checkpoint_bytes" not in found:
            _assume(found, name, preset)
    compared = {"baseline_write", "baseline_read", "faster"} & found.keys()
    for side in ("baseline", "candidate") if compared else ("candidate",):
        _complete_side(found, side)
    return found


def _complete_side(found: dict[str, Input], side: str) -> None:
    multiplied = side == "candidate" and "faster" in found
    if multiplied:
        return
    write, read = f"{side}_write", f"{side}_read"
    if read in found and write not in found:
        source = "not given: taken to be as fast as reads"
        found[write] = replace(found[read], name=write, origin="assumed", source=source)
    elif write in found and read not in found:
        source = f"{found[write].source}; reads are taken to be as fast"
        found[write] = replace(found[write], source=source)
    other = "candidate" if side == "baseline" else "baseline"
    for key, preset in STORAGE_ASSUMED.items():
        theirs = found.get(f"{other}_{key}")
        if theirs is None:
            _assume(found, f"{side}_{key}", preset)
        elif f"{side}_{key}" not in found and write in found and "load_faster" not in found:
            source = f"{theirs.source}; taken to be the same for the {side}"
            found[theirs.name] = replace(theirs, source=source)


def _assume(found: dict[str, Input], name: str, preset: Preset) -> None:
    if name not in found:
        found[name] = Input(name=name, range=preset.range, origin="assumed", source=preset.source)
