"""Evaluations that a training stops for: what is read for one, how often, and by whom."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from aibench.definition.fields import Duration
from aibench.definition.source import Strict
from aibench.generators.common import Batch
from aibench.generators.kind import Request
from aibench.generators.load import Data, reading
from aibench.model import Accelerators, Order, Phase
from aibench.workers.loops.feed import steps_of_epoch

#: Going backward takes twice the operations of going forward, so a batch of training takes three
#: times as long as one that is only looked at (Kaplan et al. 2020, arXiv:2001.08361, section 2.1).
_FORWARD = 3
_LONGEST_NS = 60 * 10**9


class Settings(Strict):
    """The settings of evaluations; accelerators stop for one after ``every`` so many steps.

    ``files`` of data of their own, of the same sizes and in the same format, are read in the same
    way by as many loaders, always in the same order: what the caches keep of one evaluation the
    next one finds there. Each accelerator takes so many ``batches``, 0: all that there are for it,
    of ``batch`` samples, those of training where none is given. It computes with one for
    ``compute``, a third of what training takes in the mean where that is not given, and goes on
    when all have computed with their last one.
    """

    every: Annotated[int, Field(ge=1, le=10**9, strict=True)]
    files: Annotated[int, Field(ge=1, le=10**10, strict=True)]
    batches: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 0
    batch: Batch | None = None
    compute: Annotated[Duration, Field(gt=0, le=_LONGEST_NS)] | None = None

    def evaluated(
        self,
        data: Data,
        request: Request,
        asked: Accelerators,
        split: tuple[int, int],
        scale: float,
    ) -> Phase:
        """What accelerators as ``asked`` read for one evaluation. ValueError where that is nothing.

        ``split`` are the processes and threads of its loaders; ``scale`` is of its files.
        """
        files = max(round(self.files * scale), 1)
        other = data.model_copy(update={"files": files, "batch": self.batch or data.batch})
        workload, seed = f"{request.workload}-validation", request.seed + 1  # other bytes, too
        own = replace(request, workload=workload, seed=seed)
        accelerators = Accelerators(
            count=asked.count,
            loaders=asked.loaders,
            prefetch=asked.prefetch,
            compute_ns=self.compute or asked.compute_ns // _FORWARD,
            distribution="fixed",
            steps=self.batches,
            decode_ns=asked.decode_ns,
        )
        phase = replace(
            reading(other, own, *split),
            name=f"evaluation-{asked.count}",
            order=Order.SEQUENTIAL,
            accelerators=accelerators,
        )
        if (most := steps_of_epoch(phase, accelerators)) < max(self.batches, 1):
            raise ValueError(
                f"an evaluation by {asked.count} accelerators has {max(self.batches, 1)} batches "
                f"of {phase.batch} for each and its data are enough for {most}; use more files, or "
                "fewer batches"
            )
        return phase
