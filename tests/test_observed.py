"""What records say about a storage in the terms of cluster models."""

from dataclasses import replace

import pytest

from aibench.errors import Refused
from aibench.model import CacheState, Ceiling, Finding, SyncPolicy
from aibench.observed import observed
from tests import build, projecting
from tests.projecting import SECOND


def test_saving_and_loading_checkpoints() -> None:
    """Durable write and cold read bandwidth are measured, with their intervals over the repeats."""
    found = observed([projecting.saving(5, 5, 5), projecting.loading(1, 2, 4)], "candidate")
    write, read = found.inputs
    assert (write.name, read.name) == ("candidate_write", "candidate_read")
    assert write.origin == read.origin == "measured"
    assert write.range.typical == pytest.approx(2e9)
    assert write.range.low == pytest.approx(2e9)
    assert read.range.typical == pytest.approx(5e9)
    assert read.range.low < 2.5e9
    assert read.range.high > 10e9
    assert "checkpoint-load, phase load, 3 repeats, log-t, 95 %" in read.source
    assert {remark.code for remark in found.remarks} == {"scaled"}


def test_feeding_accelerators() -> None:
    """Utilisation is that of the most accelerators at the bar, with the time to the first batch."""
    records = [projecting.saving(5), projecting.feeding(one=0.99, two=0.95, four=0.5)]
    found = {each.name: each for each in observed(records, "baseline").inputs}
    assert found["baseline_utilisation"].range.typical == pytest.approx(0.95)
    assert "accelerators-2" in found["baseline_utilisation"].source
    assert found["baseline_load"].range.typical == pytest.approx(0.5)
    starved = observed([projecting.saving(5), projecting.feeding(one=0.6, four=0.2)], "baseline")
    assert starved.inputs[-1].range.typical == pytest.approx(0.6)


def test_the_time_to_the_first_batch_of_a_loader() -> None:
    """The first batch of a load workload comes before that of a train workload."""
    timed = build.measurement(timers={"first_batch": 3 * SECOND})
    stage = build.stage(phases=(build.phase(name="epoch"),))
    load = build.record(build.sample(phase="epoch", measurement=timed), plan=build.plan(stage))
    records = [load, projecting.saving(5), projecting.feeding(one=0.99)]
    found = {each.name: each for each in observed(records[::-1], "candidate").inputs}
    assert found["candidate_load"].range.typical == pytest.approx(3)
    told = [r.message for r in observed(records, "candidate").remarks]
    assert any("100 files" in message for message in told)


def test_a_client_at_its_limit_gives_lower_bounds() -> None:
    """Where the client was the limit, bandwidth is a lower bound and so loss an upper one."""
    ceiling = Ceiling(operations=1, bytes=10**10, elapsed_ns=round(4.5 * SECOND))
    bound = observed([projecting.saving(5, ceiling=ceiling)], "candidate")
    assert "lower_bound" in {remark.code for remark in bound.remarks}
    fast = replace(ceiling, elapsed_ns=SECOND)
    free = observed([projecting.saving(5, ceiling=fast)], "candidate")
    assert "lower_bound" not in {remark.code for remark in free.remarks}
    warned = (Finding(code="nic_bound", message="the card is at its limit"),)
    named = observed([projecting.saving(5, ceiling=fast, warnings=warned)], "candidate")
    assert "lower_bound" in {remark.code for remark in named.remarks}
    remote = replace(projecting.saving(5), target=build.target(fstype="nfs4", server="filer"))
    told = observed([remote], "candidate").remarks
    assert any("one client" in remark.message for remark in told)


def test_what_the_server_and_a_snapshot_hide() -> None:
    """A server may have had a checkpoint in its cache, and a snapshot stalls for a part only."""
    remote = replace(projecting.loading(1), target=build.target(fstype="nfs4", server="filer"))
    codes = {remark.code for remark in observed([remote], "candidate").remarks}
    assert "server_cache" in codes
    save = projecting.saving(5)
    stage = save.plan.stages[0]
    plan = replace(
        save.plan,
        stages=(replace(stage, phases=(replace(stage.phases[0], snapshot=True),)),),
    )
    told = observed([replace(save, plan=plan)], "candidate").remarks
    assert any("candidate.snapshot" in remark.message for remark in told)


def test_warnings_come_along() -> None:
    """What was to know of a measurement is to know of a projection from it, once."""
    warned = (Finding(code="short_run", message="measured for less than 60 s"),)
    found = observed([projecting.saving(5, 5, warnings=warned)], "candidate").remarks
    assert [r.code for r in found] == ["short_run", "scaled"]
    assert found[0].message == "candidate write: measured for less than 60 s"


def test_what_was_not_storage_is_not_used() -> None:
    """Reads from the page cache and writes that nobody synced are no bandwidth of storage."""
    warm = projecting.loading(1, evidence=build.evidence(state=CacheState.WARM))
    with pytest.raises(Refused, match="measured no checkpoint"):
        observed([warm], "candidate")
    unsynced = projecting.saving(5)
    stage = unsynced.plan.stages[0]
    phase = replace(stage.phases[0], sync=SyncPolicy.NONE)
    plan = replace(unsynced.plan, stages=(replace(stage, phases=(phase,)),))
    with pytest.raises(Refused, match="measured no checkpoint"):
        observed([replace(unsynced, plan=plan)], "candidate")
    unknown = projecting.loading(1, evidence=build.evidence(state=CacheState.UNKNOWN))
    told = observed([unknown], "candidate").remarks
    assert "cache_unknown" in {remark.code for remark in told}


def test_records_that_do_not_count_are_refused() -> None:
    """A run that was interrupted, or has no end, projects nothing."""
    stopped = Finding(code="interrupted", message="SIGINT")
    with pytest.raises(Refused, match="does not count: SIGINT"):
        observed([replace(projecting.saving(5), reasons=(stopped,))], "candidate")
    with pytest.raises(Refused, match="it has no end"):
        observed([replace(projecting.saving(5), complete=False)], "candidate")


def test_the_last_of_several_runs_counts() -> None:
    """Where two runs measured the same, the last one given is taken."""
    found = observed([projecting.saving(5), projecting.saving(10)], "candidate")
    assert [each.range.typical for each in found.inputs] == [pytest.approx(1e9)]
