"""What storage does to a training cluster, as formulas: pure, and in seconds, bytes and shares."""

from aibench.cluster.comparison import Compared, compared
from aibench.cluster.effects import (
    amdahl,
    cache_speedup,
    checkpoint_bytes,
    demand,
    elapsed_utilisation,
    fed,
    pooled,
    saved,
    start_saving,
    step_stall,
    utilisation_for,
)
from aibench.cluster.failing import (
    async_goodput,
    available_interval,
    best_interval,
    daly,
    ettr,
    first_order,
    goodput,
    least_loss,
    losses,
    mtbf,
    unbroken,
    young,
)
from aibench.cluster.job import Job, Outcome, Storage, outcome
from aibench.cluster.models import MODELS, Model, Projected, project, relation
from aibench.cluster.need import Needed, needed_baseline
from aibench.cluster.ranges import Range, Swing, band, exactly, swings

__all__ = [
    "MODELS", "Compared", "Job", "Model", "Needed", "Outcome", "Projected", "Range", "Storage",
    "Swing",
    "amdahl", "async_goodput", "available_interval", "band", "best_interval", "cache_speedup",
    "checkpoint_bytes", "compared", "daly", "demand", "elapsed_utilisation", "ettr", "exactly",
    "fed", "first_order", "goodput", "least_loss", "losses", "mtbf", "needed_baseline", "outcome",
    "pooled", "project", "relation", "saved", "start_saving", "step_stall", "swings", "unbroken",
    "utilisation_for", "young",
]  # fmt: skip
