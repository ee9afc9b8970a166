"""Accelerators that are emulated: what they take, and how long they compute with it."""

from dataclasses import dataclass

#: How compute times may be distributed.
DISTRIBUTIONS = ("fixed", "lognormal", "normal", "gamma", "listed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """``count`` accelerators, each fed by ``loaders`` that read whole batches in turn.

    A loader reads one batch at a time, and at most ``prefetch`` of its batches wait to be taken.
    Computing with a batch takes ``compute_ns`` in the mean of a ``distribution``: always where it
    is ``fixed``; ``lognormal``, whose logarithm has the standard deviation ``sigma``; ``normal`` or
    ``gamma`` with a standard deviation of ``sigma`` x the mean, the normal one cut at 0 and at
    twice its mean; or one of the times ``listed``, each as often as the others.

    With a ``barrier`` all accelerators end a step together. ``steps`` bounds the steps of each; 0:
    an epoch. ``decode_ns`` is the time of one core that a loader spends on each sample. From a
    utilisation of ``bar`` on, accelerators count as fed. ``searched`` is 0, or how many levels a
    search tries at most, of which this is one (`capacity`). A loader that streams files has a
    shuffle ``buffer`` of so many samples, in whole batches, which it fills before the first one.

    Of several ``epochs`` each begins when the last step of the one before has ended: until then
    nothing of it is read. ``persistent`` loaders live on; others are forked anew for each epoch.

    After each ``save_every`` steps (0: never) all of them stop for a checkpoint, until its last
    writer has come to the moment ``save_until``: ``blocked``, when a trainer could go on, or
    ``durable``. The rest of it is written while they go on. After each ``evaluate_every`` steps
    (0: never) all of them stop for an evaluation, until each has computed with all batches of it.
    """

    count: int
    loaders: int
    compute_ns: int
    prefetch: int = 2
    distribution: str = "lognormal"
    sigma: float = 0.0
    listed: tuple[int, ...] = ()
    barrier: bool = True
    steps: int = 0
    decode_ns: int = 0
    bar: float = 0.9
    searched: int = 0
    buffer: int = 0
    epochs: int = 1
    persistent: bool = True
    save_every: int = 0
    save_until: str = "blocked"
    evaluate_every: int = 0

    def __post_init__(self) -> None:
        if min(self.count, self.loaders, self.prefetch) < 1:
            raise ValueError("accelerators, their loaders and their prefetch are at least 1")
        stops = self.save_every or self.evaluate_every
        if self.epochs < 1 or (stops and not self.persistent):
            raise ValueError("at least one epoch; who stops in between has persistent loaders")
        counts = (self.steps, self.decode_ns, self.buffer, self.save_every, self.evaluate_every)
        if min(self.compute_ns, self.sigma, *counts) < 0:
            raise ValueError("times and steps of accelerators are never negative")
        if stops and self.count > 1 and not self.barrier:
            raise ValueError(
                "accelerators that save a checkpoint or evaluate together end steps together"
            )
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(f"no distribution {self.distribution!r} of compute times")
        if bool(self.listed) != (self.distribution == "listed") or any(n < 0 for n in self.listed):
            raise ValueError("a list of compute times belongs to the distribution 'listed'")

    @property
    def varies(self) -> bool:
        """Whether computing takes longer with one batch than with another."""
        if self.distribution == "listed":
            return len(set(self.listed)) > 1
        return self.distribution != "fixed" and self.sigma > 0

    @property
    def seats(self) -> int:
        """How many loaders there are for all of them."""
        return self.count * self.loaders
