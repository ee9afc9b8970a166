"""Why a verdict is what it is: every reason code with what it means, for good.

A finding of a verdict carries one of these codes and a sentence with the figures of its own. Codes
are never renamed, and none gets another meaning: scripts and old reports rely on them. A record's
own reasons and warnings (``interrupted``, ``no_space``) may stand beside them.
"""

from collections.abc import Mapping
from types import MappingProxyType

#: What the runs themselves show, or do not.
_RUNS = {
    "ci_straddles": "the bound lies inside the interval of the runs",
    "estimators_disagree": "two ways to make an interval give different answers",
    "too_few_runs": "fewer runs than a verdict needs",
    "too_few_operations": "fewer operations than the percentile needs",
    "maximum_not_provable": "no number of runs proves that nothing ever takes longer",
    "worst_node": "of nodes that were measured one by one, the worst decides",
    "sessions_pooled": "repeats of few sessions stand for the sessions",
    "cache_state_differs": "a run whose bytes came from elsewhere is left out",
    "wrong_bytes": "bytes came back that were not written",
    "bytes_compared": "what was read was compared with what was written",
    "metric_missing": "the phase does not give what the claim is about",
    "nothing_measured": "a run without a figure is left out",
    "operations_failed": "a run in which operations failed is left out",
    "no_run_counts": "no run of the phase counts",
}
#: What stands in the way of one direction or of both (`gates`).
_GATES = {
    "unfinished": "the record has no end",
    "memory_target": "the target is memory, not storage",
    "cache_suspect": "the bytes may have come from a cache",
    "names_cached": "names and attributes may have come from a cache",
    "not_durable": "nothing asked for the data to be durable",
    "server_cache": "the server's cache may have taken all that was written",
    "not_steady": "the rate was not steady",
    "burst": "a burst came before the rate that lasts",
    "short_run": "the runs are too short to tell a burst from what lasts",
    "too_short": "the time is too short to be known exactly",
    "start_spread": "starting is a part of the time",
    "client_bound": "the client was the limit",
    "rig_limited": "it is not shown that the rig was not the limit",
    "single_client": "one client can't show that a unit of storage is at its limit",
    "not_filled": "too little was asked of the storage at once",
    "nic_bound": "a network card was the limit",
    "run_queue": "threads waited for a processor",
    "packets_lost": "a network card lost packets",
    "tcp_retransmits": "the network lost packets",
    "retransmissions": "NFS requests were sent again",
    "memory_short": "the client was short of memory",
    "swapping": "the client swapped",
    "steal": "a hypervisor took processors away",
    "busy_client": "others used the client's processors",
    "io_limited": "a control group limits the device",
    "idle_jobs": "a part of the jobs did nothing",
    "idle_workers": "a part of the workers did nothing",
    "depth_not_kept": "the engine did not keep the queue depth",
    "generated_while_writing": "data was made while it was written",
    "counts_differ": "the tool contradicts itself",
    "interference": "others used the client or the mount",
    "environment_changed": "the environment changed during the run",
    "impossible": "the figure is above what the hardware can do",
}
#: Which product, which unit, which of several readings.
_UNITS = {
    "no_system": "no system file says what the mount is",
    "other_product": "the claim is about another product",
    "unit_undefined": "the claimed unit is not defined, or not the one that the system counts by",
    "units_missing": "the system file does not say how many units there are",
    "units_averaged": "the rate of all units is divided evenly among them",
    "projection_only": "the figure is for a larger system than was measured",
    "conditions_differ": "the claim was tested under other conditions than the source states",
    "claim_underspecified": "the source leaves conditions out, and ours were assumed",
    "interpretation_split": "one reading of the claim is met and another one is not",
}
#: The other side of a ratio, and the levels of a claim on scaling.
_COMPARED = {
    "no_baseline": "a ratio needs a measured baseline",
    "baseline_mismatch": "the two sides were not measured alike",
    "baseline_not_reproduced": "the baseline is a figure from elsewhere, not measured here",
    "pairs_incomplete": "pairs of which only one side was measured are left out",
    "not_interleaved": "the sides were measured one after the other: drift looks like a difference",
    "load_differs": "latencies compare at the same offered load only",
    "ratio_capped": "no cache can give more than the share of time that was lost without it",
    "level_not_tested": "fewer than three sizes were measured",
    "tested_up_to": "the answer holds up to the largest size that was measured",
    "knee": "the growth bends: a single exponent does not describe it",
    "superlinear": "it grows faster than its size: the small sizes were held up by something else",
}
#: What this rig or this run lacks.
_ABSENT = {
    "workload_missing": "no workload of the run tests the claim",
    "workload_refused": "the workload that tests the claim was refused",
    "phase_missing": "no phase of the workload tests the claim",
    "not_measured": "the phase was planned and not reached",
    "needs_more_units": "it takes more units of the system than were measured",
    "needs_cluster": "it takes a cluster",
    "needs_vendor_runtime": "it takes software of the vendor on the storage itself",
    "needs_second_protocol": "it takes the same data over a second protocol",
    "needs_second_site": "it takes a second site",
    "no_model_inputs": "what the model needs was not measured",
    "model_has_no_answer": "the modelled job makes no progress with what is known",
    "model_missing": "the claim names a model that aibench does not have",
    "no_number": "the source prints no number",
}
#: How a claim on a cluster compares with a model.
_MODELS = {
    "model_projection": "a projection from measured and assumed inputs, not a measurement",
    "model_cap": "the most that ideal storage would give",
}
#: What no benchmark of a filesystem can ever test.
_NEVER = {
    "gpu_scheduling": "it is about scheduling accelerators, not about storage",
    "gpu_utilisation": "it is about accelerators and software beside the storage",
    "interconnect": "it is about the network between accelerators",
    "market": "it is about a market or an industry",
    "superlative": "it compares with all others at the time of printing",
    "historical_fact": "it is about something that happened elsewhere",
    "deployment": "it is about setting a system up",
    "platform": "it is about a software platform",
    "capacity_statement": "it is about what could be bought, not about what a mount does",
    "scaling_statement": "it is a limit of what can be configured, not a performance",
    "other_sites": "it is about several sites",
    "not_storage": "it is not about storage",
}

REASONS: Mapping[str, str] = MappingProxyType(
    _RUNS | _GATES | _UNITS | _COMPARED | _ABSENT | _MODELS | _NEVER
)


def sentence(code: str) -> str:
    """What the reason ``code`` means; the code itself where it is not one of the judge's."""
    return REASONS.get(code, code)
