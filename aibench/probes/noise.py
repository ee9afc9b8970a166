"""What else happens on the client and the mount: before a run begins, and what a run changed.

Pure functions of what was seen. Each finding has a code that the judge knows: a client that others
slow down can still show that a figure is met, not that it is missed; where the storage itself has
other work, or something is not as it was, neither can be shown.
"""

from collections.abc import Iterator, Sequence

from aibench.identity import normalised
from aibench.insight.thresholds import STOLEN_FROM
from aibench.insight.wording import percent
from aibench.metrics import CLIENT_BOUND_BELOW
from aibench.model import Environment, Finding, Target
from aibench.probes.mounts import Mount
from aibench.units import format_rate, parse_rate

#: Where others take more than this share, less is left than the harness wants to have in hand:
#: it is called the limit of what it measures below 1.25 times the rate.
NOTABLE = 1 - 1 / CLIENT_BOUND_BELOW
#: What has to stay as it is while a run measures, besides the key of the client.
_KEPT = (
    *("boot_id", "kernel_release", "governor", "turbo", "clock_source", "transparent_hugepage"),
    *("cpus", "cpu_quota", "memory_limit_bytes", "dirty_ratio", "dirty_bytes"),
    *("dirty_background_ratio", "dirty_background_bytes"),
    *("target_model", "target_firmware", "target_id", "target_io_limits"),
)


def before(environment: Environment, target: Target) -> tuple[Finding, ...]:
    """What speaks against measuring now: the work of others, and limits put on this process.

    Codes: ``busy_client``, ``steal``, ``swapping``, ``interference`` and ``io_limited``. What is
    not known gives no finding.
    """
    rules = (busy(environment), stolen(environment), swapping(environment),
             interference(environment, target), io_limited(environment))  # fmt: skip
    return tuple(finding for finding in rules if finding is not None)


def _number(environment: Environment, name: str) -> float | None:
    value = environment.metadata.get(name)
    return float(value) if isinstance(value, int | float) else None


def _more_than(environment: Environment, name: str, limit: float) -> float | None:
    value = _number(environment, name)
    return value if value is not None and value > limit else None


def busy(environment: Environment, name: str = "others_busy_share") -> Finding | None:
    """Other programs take so much of the processors that it shows in the results."""
    share = _more_than(environment, name, NOTABLE)
    if share is None:
        return None
    message = (
        f"other programs took {percent(share)} of the client's processors while aibench waited: "
        "the storage may be faster than it could show here"
    )
    return Finding(code="busy_client", message=message)


def stolen(environment: Environment) -> Finding | None:
    """The hypervisor gives the processors to others."""
    share = _more_than(environment, "others_steal_share", STOLEN_FROM)
    if share is None:
        return None
    message = f"the hypervisor took {percent(share)} of this client's CPU time before the run"
    return Finding(code="steal", message=message)


def swapping(environment: Environment) -> Finding | None:
    """The client swaps before anything has begun."""
    rate = _more_than(environment, "others_swap_rate", 0)
    if rate is None:
        return None
    message = f"the client swapped {format_rate(rate)} before the run began"
    return Finding(code="swapping", message=message)


def interference(environment: Environment, target: Target) -> Finding | None:
    """Others use the device, the mount or the cards on the way to it."""
    device = _more_than(environment, "others_device_share", NOTABLE)
    if device is not None:
        told = f"{target.device} had requests of others {percent(device)} of the time"
        return _disturbed(told)
    requests = _more_than(environment, "others_requests", NOTABLE)
    if requests is not None:
        return _disturbed(f"{requests:.3g} requests of others were under way on the mount")
    rate, line = _number(environment, "others_network_rate"), line_rate(environment)
    remote = target.is_remote
    if remote and rate is not None and line is not None and rate > NOTABLE * line:
        told = f"others moved {format_rate(rate)} over {environment.metadata['target_cards']}"
        return _disturbed(f"{told}, {percent(rate / line)} of the line rate")
    return None


def _disturbed(told: str) -> Finding:
    return Finding(code="interference", message=f"{told} while aibench waited, before the run")


def way(environment: Environment) -> list[str]:
    """The names of the cards on the way to the target."""
    told = environment.metadata.get("target_cards")
    return told.split(", ") if isinstance(told, str) else []


def line_rate(environment: Environment) -> float | None:
    """The speed of the cards on the way to the target together, in B/s; None if one is unknown."""
    speeds = [environment.metadata.get(f"nic_{card}") for card in way(environment)]
    known = [parse_rate(speed) for speed in speeds if isinstance(speed, str)]
    return sum(known) if known and len(known) == len(speeds) else None


def io_limited(environment: Environment) -> Finding | None:
    """A control group limits what this process may do to the device."""
    told = environment.metadata.get("target_io_limits")
    if not told:
        return None
    message = f"a control group limits this process: {told}; the storage may be faster"
    return Finding(code="io_limited", message=message)


def after(
    then: Environment, now: Environment, target: Target, mounted: Sequence[Mount]
) -> tuple[Finding, ...]:
    """What is not as it was when the run began, from the client ``then`` and ``now``.

    Codes: ``environment_changed`` with every difference, ``client_bound`` where heat slowed the
    processors meanwhile, ``busy_client`` where other programs compute at the end. ``mounted`` is
    what is mounted now. Of the processors only the work outside the kernel is taken for that of
    others: the kernel still writes what the run left.
    """
    changes = [*_changed_client(then, now, target), *_changed_mount(target, mounted)]
    found = []
    if changes:
        message = "not as it was when the run began: " + "; ".join(changes)
        found.append(Finding(code="environment_changed", message=message))
    hot = [_number(each, "thermal_throttle_count") for each in (then, now)]
    if hot[0] is not None and hot[1] is not None and hot[1] > hot[0]:
        message = (
            f"heat slowed the client's processors during the run (counted {hot[1] - hot[0]:.0f} "
            "times): the storage may be faster than it could show here"
        )
        found.append(Finding(code="client_bound", message=message))
    computing = busy(now, "others_user_share")
    return (*found, *([computing] if computing else []))


def _changed_client(then: Environment, now: Environment, target: Target) -> Iterator[str]:
    """Cards count only where the target is behind them."""
    remote = target.is_remote
    for name in then.key:
        if name != "nic" or remote:
            yield from _pair(name, then.key.get(name), now.key.get(name))
    cards = [f"{part}{card}{end}" for card in way(then)
             for part, end in (("nic_", ""), ("card_", "_mtu"))]  # fmt: skip
    for name in (*_KEPT, *(("target_cards", *cards) if remote else ())):
        if name in then.metadata:
            yield from _pair(name, then.metadata[name], now.metadata.get(name))


def _changed_mount(target: Target, mounted: Sequence[Mount]) -> Iterator[str]:
    here = [mount for mount in mounted if mount.point == target.mount_point]
    if not here:
        if mounted:
            yield f"nothing is mounted on {target.mount_point} any more"
        return
    yield from _pair("fstype", target.fstype, here[-1].fstype)
    yield from _pair("source", target.source, here[-1].source)
    options = (",".join(normalised(each)) for each in (target.options, here[-1].options))
    yield from _pair("mount options", *options)


def _pair(name: str, then: object, now: object) -> Iterator[str]:
    if then != now:
        told = ["not told" if value is None else str(value) for value in (then, now)]
        yield f"{name.replace('_', ' ')} {told[0]}, now {told[1]}"
