"""A report says what accelerators asked for, and how many were fed."""

from dataclasses import replace
from typing import Any

import pytest

from aibench.model import Accelerated, Accelerators, Level, RunRecord, Training
from aibench.reporters import asking, feeding, html, markdown, terminal
from aibench.reporters.document import document
from tests import build

SECOND = 10**9


def training(busy: float, count: int) -> Training:
    """A hundred seconds of accelerators that computed for that share of them."""
    whole = 100 * SECOND
    one = {
        "host": "client1", "steps": 100, "bytes": 10**9, "first_batch_ns": SECOND // 2,
        "first_step_ns": SECOND, "end_ns": SECOND + whole, "wait_ns": whole - round(busy * whole),
        "compute_ns": round(busy * whole), "barrier_ns": 0, "stall_ns": whole - round(busy * whole),
    }  # fmt: skip
    return Training(
        batch=10, accelerators=tuple(Accelerated(number=n, **one) for n in range(count))
    )


def record(levels: dict[int, tuple[float, ...]], **changes: Any) -> RunRecord:
    """A run with these utilisations, by the number of accelerators."""
    phases = tuple(
        build.phase(
            name=f"accelerators-{count}", processes=2 * count, batch=10,
            accelerators=Accelerators(count=count, loaders=2, compute_ns=SECOND, **changes),
        )
        for count in levels
    )  # fmt: skip
    samples = [
        build.sample(
            repeat, phase=f"accelerators-{count}",
            measurement=build.measurement(training=training(busy, count)),
        )
        for count, found in levels.items()
        for repeat, busy in enumerate(found)
    ]  # fmt: skip
    return build.record(*samples, plan=build.plan(build.stage(phases=phases, kind="train")))


def told(levels: dict[int, tuple[float, ...]]) -> list[str]:
    """What is said of the number that was fed."""
    (workload,) = document(record(levels), [])["workloads"]
    return list(feeding.fed(workload["phases"]))


GOOD, MIDDLING, BAD = (0.97,) * 6, (0.99, 0.99, 0.99, 0.8, 0.8, 0.8), (0.5,) * 6


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ({1: GOOD, 2: GOOD, 4: BAD}, "2 accelerators had a utilisation of 90.0 % or more, by"),
        ({1: GOOD, 2: MIDDLING}, "1 accelerator had a utilisation of 90.0 % or more, by"),
        ({1: GOOD, 2: GOOD}, "; more were not tried."),
        ({1: (0.95,), 2: (0.8,)}, "1 accelerator had a utilisation of 90.0 % or more, in all"),
        ({1: BAD}, "No number of accelerators had a utilisation of 90.0 % or more."),
    ],
)
def test_how_many_were_fed(levels: dict[int, tuple[float, ...]], words: str) -> None:
    """It is the largest number whose utilisation is surely at the bar, and the formula is told."""
    formula, found = told(levels)
    assert formula.startswith("Utilisation is computing over computing, waiting")
    assert words in found


def test_what_a_search_found() -> None:
    """A report says between which numbers the largest one lies, and the curve that was seen."""
    levels = {1: GOOD, 2: MIDDLING, 4: MIDDLING, 8: BAD}
    (workload,) = document(record(levels, searched=12), [])["workloads"]
    _, most, between, unsure, curve = feeding.fed(workload["phases"])
    assert most.startswith("1 accelerator had a utilisation of 90.0 % or more")
    assert between == (
        "The largest number that is fed is between 1 and 7: 8 accelerators surely had less than "
        "90.0 %."
    )
    assert unsure.startswith(
        "Whether 2 or 4 accelerators are fed stays open: their repeats differ too much, from below "
        "to above 90.0 %. More repeats (--repeats) narrow that"
    )
    assert curve.startswith("Utilisation by the number of accelerators: 1: 97.0 %, 2: 89.0 %, 4: ")
    phases = workload["phases"]
    phases[3]["warnings"] = [{"code": "client_bound", "message": "", "repeats": [0]}]
    client, unsure, _ = list(feeding.fed(phases))[2:]
    assert client.startswith("With 8 accelerators the client was the limit: it hardly keeps so")
    assert "changes from one run to the next" in client
    assert unsure.startswith("Whether 2 or 4 accelerators are fed stays open")


def test_a_noisy_client_ends_a_search_in_plain_words() -> None:
    """Where only repeats that differ lie above what is fed, that is all that is said to be open."""
    levels = {1: GOOD, 2: MIDDLING}
    (workload,) = document(record(levels, searched=12), [])["workloads"]
    _, _, unsure, _ = feeding.fed(workload["phases"])
    assert unsure.startswith("Whether 2 accelerators are fed stays open")
    phases = workload["phases"]
    phases[1]["warnings"] = [{"code": "client_bound", "message": "", "repeats": [3]}]
    _, _, client, _ = feeding.fed(phases)
    assert client.startswith("With 2 accelerators the client was the limit")


def test_first_batches_of_later_epochs_are_told() -> None:
    """How long each epoch has to wait for its first batch, and who the loaders are."""
    for persistent, words in ((True, "that live on"), (False, "that are forked anew")):
        shown = record({1: (0.97,)}, epochs=3, persistent=persistent)
        (sample,) = shown.samples
        waits = {"epoch_first_batch": build.histogram(SECOND, 3 * SECOND)}
        measured = replace(sample.measurement, histograms=waits)
        shown = replace(shown, samples=(replace(sample, measurement=measured),))
        (workload,) = document(shown, [])["workloads"]
        assert list(feeding.fed(workload["phases"]))[-1] == (
            f"1 accelerator: later epochs had their first batch after 2.00 s in the mean, by "
            f"loaders {words}."
        )
        assert "3 epochs by loaders" in asking.asked(workload["phases"][0])


def test_levels_that_were_not_tried_are_no_phases() -> None:
    """A search has many levels in its plan; a report shows those that it came to."""
    found = record({1: GOOD, 2: BAD, 3: ()}, searched=12)
    (workload,) = document(found, [])["workloads"]
    assert [phase["name"] for phase in workload["phases"]] == ["accelerators-1", "accelerators-2"]
    (workload,) = document(record({1: GOOD, 2: BAD, 3: ()}), [])["workloads"]
    assert len(workload["phases"]) == 3


def test_nothing_is_said_where_there_are_none() -> None:
    """A run without accelerators says nothing of them."""
    (workload,) = document(build.record(), [])["workloads"]
    assert list(feeding.fed(workload["phases"])) == []


def test_what_they_asked_for() -> None:
    """A phase says how its accelerators are fed, and what they take at full rate."""
    (workload,) = document(record({4: GOOD}, sigma=0.2, decode_ns=2_000_000), [])["workloads"]
    said = asking.asked(workload["phases"][0])
    assert said.startswith(
        "4 accelerators × 2 loaders, each up to 2 batches ahead, 1.00 s a batch in the mean "
        "(lognormal), 164 kB/s at full rate, a barrier after each step, 2.00 ms to decode a "
        "sample, 8 processes"
    )
    (workload,) = document(record({1: GOOD}, buffer=1000), [])["workloads"]
    assert "a shuffle buffer of 1000 samples in each loader (4.10 MB)" in asking.asked(
        workload["phases"][0]
    )
    assert "nothing decoded" in asking.asked(workload["phases"][0])


def test_all_reports_say_it() -> None:
    """Every format for people has the figures and the sentence."""
    shown = document(record({1: GOOD, 2: BAD}), [])
    for text in (terminal.render(shown, width=200), markdown.render(shown), html.render(shown)):
        assert "1 accelerator had a utilisation of 90.0 % or more" in text
        assert "97.0 %" in text


def test_an_interval_of_shares_ends_at_one() -> None:
    """Nothing is busy for more than all of its time, whatever the statistics of few repeats say."""
    (workload,) = document(record({1: (0.99, 0.999, 0.9)}), [])["workloads"]
    (found,) = (m for m in workload["phases"][0]["metrics"] if m["name"] == "utilisation")
    assert found["estimate"]["high"] == 1
    assert found["estimate"]["low"] < 0.9


def test_who_is_imitated_is_said() -> None:
    """A format that is not plain is named with its reader, and a rate that was asked for."""
    population = build.population(format="webdataset", samples_per_file=30)
    phase = build.phase(population=population, reader="webdataset", rate=500.0)
    record = build.record(plan=build.plan(build.stage(phases=(phase,))))
    said = asking.asked(document(record, ())["workloads"][0]["phases"][0])
    assert "100 files of 30 × 4.10 kB each" in said
    assert "format webdataset read as by webdataset, 500 op/s asked for" in said


def test_a_grid_tells_who_is_fed_at_each_other_level() -> None:
    """Where loaders are swept besides, no number of accelerators stands for two of them."""
    phases, samples = [], []
    for loaders, busy in ((2, 0.5), (4, 0.95)):
        run = record({1: (busy,) * 3, 2: (busy,) * 3})
        ends = f"@loaders={loaders}"
        for phase in run.plan.stages[0].phases:
            assert phase.accelerators is not None
            counts = {"accelerators": phase.accelerators.count, "loaders": loaders}
            levels = tuple(Level(name=name, value=value) for name, value in counts.items())
            phases.append(replace(phase, name=phase.name + ends, levels=levels))
        samples += [replace(sample, phase=sample.phase + ends) for sample in run.samples]
    stage = replace(run.plan.stages[0], phases=tuple(phases))
    whole = replace(run, plan=replace(run.plan, stages=(stage,)), samples=tuple(samples))
    told = list(feeding.fed(document(whole, ())["workloads"][0]["phases"]))
    assert any(line.startswith("loaders=2: No number of accelerators had") for line in told)
    assert any(line.startswith("loaders=4: 2 accelerators had") for line in told)
    assert sum("Utilisation is computing over" in line for line in told) == 1
