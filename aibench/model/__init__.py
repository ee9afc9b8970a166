"""The nouns: frozen values that touch nothing. Bytes, nanoseconds and counts inside."""

from aibench.model.accelerators import Accelerators
from aibench.model.checkpoints import Dataset, Indexing, Resume, Slice
from aibench.model.claim import Claim, Estimate, Interpretation, Status, System, Verdict
from aibench.model.metric import Metric
from aibench.model.operation import READS, WRITES, Operation
from aibench.model.plan import (
    CachePolicy,
    Order,
    Phase,
    Plan,
    Stage,
    SyncPolicy,
    Transform,
    Workload,
)
from aibench.model.population import Population, Sizes
from aibench.model.record import Environment, RunRecord, Target
from aibench.model.sample import (
    Accelerated,
    CacheState,
    Ceiling,
    Checkpointed,
    Evidence,
    Finding,
    Histogram,
    Measurement,
    Sample,
    Series,
    Steps,
    ToolRun,
    Training,
    WorkerResult,
)
from aibench.model.searching import Search
from aibench.model.serving import Serving
from aibench.model.soaking import Soak
from aibench.model.telemetry import NfsFigures, NfsOperation, Telemetry, Why

__all__ = [
    "READS",
    "WRITES",
    "Accelerated",
    "Accelerators",
    "CachePolicy",
    "CacheState",
    "Ceiling",
    "Checkpointed",
    "Claim",
    "Dataset",
    "Environment",
    "Estimate",
    "Evidence",
    "Finding",
    "Histogram",
    "Indexing",
    "Interpretation",
    "Measurement",
    "Metric",
    "NfsFigures",
    "NfsOperation",
    "Operation",
    "Order",
    "Phase",
    "Plan",
    "Population",
    "Resume",
    "RunRecord",
    "Sample",
    "Search",
    "Series",
    "Serving",
    "Sizes",
    "Slice",
    "Soak",
    "Stage",
    "Status",
    "Steps",
    "SyncPolicy",
    "System",
    "Target",
    "Telemetry",
    "ToolRun",
    "Training",
    "Transform",
    "Verdict",
    "Why",
    "WorkerResult",
    "Workload",
]
