"""The metrics of training: how busy accelerators were, what they took, and what stopped them."""

from aibench.model import Measurement, Metric, Phase, Steps, Training
from aibench.pipeline import per_second


def utilisation(training: Training) -> float | None:
    """The share of their time that accelerators computed, in the mean; None for a single step.

    Of each: its compute time over all its time, from the end of its first step to that of its
    last, without stops for checkpoints and evaluations. Waiting for batches, and at barriers, is in
    the latter.
    """
    shares = [each.compute_ns / each.fed_ns for each in training.accelerators if each.fed_ns > 0]
    every = bool(shares) and len(shares) == len(training.accelerators)
    return sum(shares) / len(shares) if every else None


def utilisation_without_barrier(training: Training) -> float | None:
    """What `utilisation` is where nobody waits for the others; None for a single step.

    Of each accelerator: its compute time over that and its waiting for its own batches. It is an
    upper bound where there is a barrier: loaders read on while their accelerator waits at it.
    """
    shares = [
        each.compute_ns / (each.fed_ns - each.barrier_ns)
        for each in training.accelerators
        if each.fed_ns > each.barrier_ns
    ]
    every = bool(shares) and len(shares) == len(training.accelerators)
    return sum(shares) / len(shares) if every else None


def goodput(training: Training) -> float | None:
    """The share of all their time that accelerators computed, where all stops count.

    From the end of the first step to that of the last; None for a single step.
    """
    whole = sum(each.end_ns - each.first_step_ns for each in training.accelerators)
    return sum(each.compute_ns for each in training.accelerators) / whole if whole else None


def stalled(training: Training) -> float | None:
    """The share of their time, as for `utilisation`, that late batches cost the accelerators.

    A barrier has all wait for the one whose batch is late. Without one, and for one accelerator,
    it is the time that each waited for its own.
    """
    whole = sum(each.fed_ns for each in training.accelerators)
    return sum(each.stall_ns for each in training.accelerators) / whole if whole else None


def demand(phase: Phase) -> float | None:
    """The bytes per second of samples that the accelerators of ``phase`` take at most.

    Accelerators × samples of a batch × mean bytes of a sample / compute time. None without any.
    """
    asked = phase.accelerators
    if asked is None or not asked.compute_ns:
        return None
    return asked.count * phase.batch * phase.sample_bytes * 10**9 / asked.compute_ns


def fed(phase: Phase, measured: Measurement) -> list[Metric]:
    """What accelerators did: utilisation, why it is not more, and samples that they took."""
    training = measured.training
    if training is None:
        return []
    steps = sum(each.steps for each in training.accelerators)
    rate = per_second(steps * training.batch, measured.elapsed_ns)
    nominal = None if rate is None else rate * phase.sample_bytes
    each = training.accelerators
    whole = sum(one.fed_ns for one in each)
    stalls = [
        ("stall", sum(one.stall_ns for one in each), True),
        ("wait", sum(one.wait_ns for one in each), False),
        ("barrier", sum(one.barrier_ns for one in each), False),
    ]
    why_missing = "" if whole else "the first step does not count, and there was no other"
    return [
        Metric(name="utilisation", title="utilisation", value=utilisation(training), unit="share",
               better="higher", main=True, why_missing=why_missing),
        *_unbound(phase, training, why_missing),
        *(
            Metric(name=f"{name}_share", title=f"{name} share", unit="share", better="lower",
                   value=part / whole if whole else None, main=main, why_missing=why_missing)
            for name, part, main in stalls
        ),
        Metric(name="samples_per_second", title="samples per second", value=rate, unit="op/s",
               better="higher", main=True),
        Metric(name="nominal_bandwidth", title="nominal bandwidth", value=nominal, unit="B/s",
               better="higher"),
        *_stopped(phase, training),
        *_saved(training, measured),
    ]  # fmt: skip


def _unbound(phase: Phase, training: Training, why_missing: str) -> list[Metric]:
    """How busy accelerators would be without their barrier, where there is one."""
    asked = phase.accelerators
    if asked is None or not asked.barrier or asked.count == 1:
        return []
    return [
        Metric(name="utilisation_without_barrier", title="utilisation without the barrier",
               value=utilisation_without_barrier(training), unit="share", better="higher",
               why_missing=why_missing),
    ]  # fmt: skip


def _stopped(phase: Phase, training: Training) -> list[Metric]:
    """The share of all time that is left for computing where accelerators stop in between."""
    each = training.accelerators
    whole = sum(one.end_ns - one.first_step_ns for one in each)
    shares = [
        ("checkpoint", phase.saving, sum(one.checkpoint_ns for one in each)),
        ("evaluation", phase.evaluation, sum(one.evaluation_ns for one in each)),
    ]
    found = [
        Metric(name=f"{name}_share", title=f"{name} share", unit="share", better="lower",
               value=stopped / whole if whole else None, main=True)
        for name, other, stopped in shares if other is not None
    ]  # fmt: skip
    useful = Metric(name="goodput", title="goodput", value=goodput(training), unit="share",
                    better="higher", main=True)  # fmt: skip
    return [useful, *found, *_evaluated(training)] if found else []


def _evaluated(training: Training) -> list[Metric]:
    """How long an evaluation took in the mean, and what was read for all over all their time."""
    stopped = max((one.evaluation_ns for one in training.accelerators), default=0)
    if not training.evaluations or not stopped:
        return []
    return [
        Metric(name="evaluation_time", title="time of an evaluation, in the mean", unit="ns",
               better="lower", value=stopped / training.evaluations),
        Metric(name="evaluation_bandwidth", title="read bandwidth of evaluations", unit="B/s",
               better="higher", value=per_second(training.evaluated_bytes, stopped)),
    ]  # fmt: skip


def _saved(training: Training, measured: Measurement) -> list[Metric]:
    """How busy accelerators were while a checkpoint was written, and otherwise."""
    if training.while_saving is None or training.others is None:
        return []
    rate = per_second(training.saved_bytes, measured.elapsed_ns)
    return [
        _busy("utilisation_while_saving", "utilisation while saving", training.while_saving),
        _busy("utilisation_not_saving", "utilisation while not saving", training.others),
        Metric(name="save_bandwidth", title="save bandwidth, over all", value=rate, unit="B/s",
               better="higher"),
    ]  # fmt: skip


def _busy(name: str, title: str, steps: Steps) -> Metric:
    value = steps.compute_ns / steps.whole_ns if steps.whole_ns else None
    why_missing = "" if steps.whole_ns else "there was no such step"
    return Metric(name=name, title=title, value=value, unit="share", better="higher", main=True,
                  why_missing=why_missing)  # fmt: skip
