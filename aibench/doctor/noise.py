"""What others do on this client and with this target, while the doctor looks on."""

from collections.abc import Iterator

from aibench.doctor.check import Check, judged, ok, warning
from aibench.insight.thresholds import STALLED_FROM
from aibench.insight.wording import percent
from aibench.model import Environment, Target
from aibench.probes import noise
from aibench.units import format_rate

#: From this share of the last 10 s on, waiting shows in results: of the processors what others may
#: take (`noise.NOTABLE`), of memory and I/O what a claim tolerates.
_PRESSING = {"cpu": noise.NOTABLE, "io": STALLED_FROM, "memory": STALLED_FROM}


def checks(target: Target | None, environment: Environment) -> Iterator[Check]:
    """Processors, stolen time, swap, the target, and the kernel's own account of waiting."""
    yield work(environment)
    yield _stolen(environment)
    yield _swap(environment)
    if target is not None:
        yield others(target, environment)
    yield pressure(environment)


def _share(environment: Environment, name: str) -> float | None:
    value = environment.metadata.get(name)
    return float(value) if isinstance(value, int | float) else None


def work(environment: Environment) -> Check:
    """What other programs take of the processors."""
    share, facts = _share(environment, "others_busy_share"), environment.metadata
    found = "not told" if share is None else f"others take {percent(share)} of the processors"
    found += f"; load {facts.get('load_1min')}, {facts.get('runnable')} threads want to run"
    advice = "Other work is running; wait for it or stop it."
    return judged("other work", found, noise.busy(environment), advice)


def _stolen(environment: Environment) -> Check:
    share = _share(environment, "others_steal_share")
    found = "not told" if share is None else f"{percent(share)} of CPU time goes to other guests"
    return judged("stolen time", found, noise.stolen(environment),
                  "The host is shared; results will vary.")  # fmt: skip


def _swap(environment: Environment) -> Check:
    rate = _share(environment, "others_swap_rate")
    found = "not told" if rate is None else f"{format_rate(rate)} swapped"
    return judged("swap", found, noise.swapping(environment),
                  "Memory is short; stop what takes it.")  # fmt: skip


def others(target: Target, environment: Environment) -> Check:
    """What others do with the device or mount, and on the way to it."""
    told = []
    device, requests, rate = (
        _share(environment, f"others_{name}")
        for name in ("device_share", "requests", "network_rate")
    )
    if device is not None:
        told.append(f"{target.device} has requests of others {percent(device)} of the time")
    if requests is not None:
        told.append(f"{requests:.3g} requests of others are under way on the mount")
    if rate is not None and target.is_remote:
        told.append(f"others move {format_rate(rate)} over {', '.join(noise.way(environment))}")
    if not told:
        return ok("other traffic", "what others do with it can't be seen from here")
    advice = "Measure while nothing else uses the storage; this client sees only its own traffic."
    return judged("other traffic", "; ".join(told), noise.interference(environment, target), advice)


def pressure(environment: Environment) -> Check:
    """How long tasks waited in the last 10 s (PSI)."""
    values = {kind: _share(environment, f"psi_{kind}_some_avg10") for kind in _PRESSING}
    told = {kind: value for kind, value in values.items() if value is not None}
    if not told:
        return ok("pressure", "this kernel has no pressure information (PSI)")
    found = "waiting in the last 10 s: " + ", ".join(f"{k} {v:.1f} %" for k, v in told.items())
    busy = [kind for kind, value in told.items() if value > 100 * _PRESSING[kind]]
    if busy:
        advice = f"Something waits for {' and '.join(busy)} here; stop it, or measure later."
        return warning("pressure", found, advice)
    return ok("pressure", found)
