"""The nouns: frozen values that touch nothing. Bytes, nanoseconds and counts inside.

Those of comparisons, of histories and of references are imported from their own modules: a run
needs none of them.
"""

from aibench.model.accelerators import Accelerators
from aibench.model.checkpoints import Dataset, Indexing, Resume, Slice
from aibench.model.claim import (
    Baseline,
    BaselineSource,
    Claim,
    ClaimKind,
    ClusterModel,
    Conditions,
    Interpretation,
    Means,
    System,
)
from aibench.model.launch import HostOf, Launch
from aibench.model.levels import Level
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
    OnHost,
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
from aibench.model.verdict import Estimate, Status, Verdict

__all__ = [
    "READS",
    "WRITES",
    "Accelerated",
    "Accelerators",
    "Baseline",
    "BaselineSource",
    "CachePolicy",
    "CacheState",
    "Ceiling",
    "Checkpointed",
    "Claim",
    "ClaimKind",
    "ClusterModel",
    "Conditions",
    "Dataset",
    "Environment",
    "Estimate",
    "Evidence",
    "Finding",
    "Histogram",
    "HostOf",
    "Indexing",
    "Interpretation",
    "Launch",
    "Level",
    "Means",
    "Measurement",
    "Metric",
    "NfsFigures",
    "NfsOperation",
    "OnHost",
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
