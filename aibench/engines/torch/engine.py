"""The engine that does phases by torch and the libraries around it, and measures what they do.

The same files, the same order, the same split over workers and ranks as engine posix has, which
emulates what these libraries ask of the storage. torch is imported by the processes that do a
phase, never by aibench itself.
"""

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from aibench.engine import Report, Site
from aibench.engines.torch.refusals import refusal
from aibench.model import Measurement, Operation, Phase, Target

_CALIBRATION_NS = 10**9


class TorchEngine:
    """Real DataLoaders and checkpoints; refuses what they have no counterpart for."""

    name = "torch"
    #: Its workers know nothing of other ranks.
    measures_alone = True

    def version(self) -> str | None:
        """The version of torch, or None where it is not installed."""
        try:
            return f"torch {version('torch')}"
        except PackageNotFoundError:
            return None

    def refusal(self, phase: Phase, target: Target) -> str | None:
        """Why no library does ``phase``, or can't here."""
        del target
        return refusal(phase)

    def run(self, phase: Phase, site: Site, report: Report) -> Measurement:
        """Do ``phase`` by the real libraries, in processes of their own."""
        if phase.operation is Operation.READ_FILES:
            from aibench.engines.torch.load import measure_load

            return measure_load(phase, site, report)
        from aibench.engines.torch.ranks import measure_checkpoint

        return measure_checkpoint(phase, site, report)

    def ceiling(self, phase: Phase, site: Site, runtime_ns: int) -> Measurement | None:
        """What the same DataLoader does with files that are in memory; None for checkpoints.

        Forking its workers is no part of it, as it is none of a measurement.
        """
        if phase.operation is not Operation.READ_FILES:
            return None
        from aibench.engines.torch.load import measure_load

        bounded = replace(phase, runtime_ns=max(runtime_ns, _CALIBRATION_NS))
        return measure_load(bounded, site, lambda *_: None, memory=True)
