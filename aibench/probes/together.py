"""From what each host saw to what all of them saw: one evidence, and telemetry that stays small."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from aibench.hosts import counters
from aibench.model import CachePolicy, CacheState, Evidence, OnHost, Telemetry
from aibench.probes.evidence import COLD_DELIVERED, WARM_DELIVERED, expectation

#: So many hosts are named in a sentence, and so many different texts told.
_NAMED = 3
#: Intervals that the telemetry of all hosts together may have: a few megabytes of a record.
_MOST_INTERVALS = 4096
_FEWEST_INTERVALS = 2
_DIGITS = 4
_CORE = "cpu.core."


class _Found(NamedTuple):
    """The state of so many hosts, and the sentence that says why."""

    state: CacheState
    hosts: int
    text: str


def together(hosts: Sequence[OnHost], policy: CachePolicy) -> Evidence | None:
    """The evidence of a phase that ``hosts`` did together; None where none of them has any.

    It is cold only if it was on every host that asked for bytes, and warm only if it was on each;
    cold here and warm there is mixed, and what is not known on one host is unknown unless another
    is not cold. What hosts of one kernel and one mount were delivered counts once, as the largest
    that one of them saw, and has to be enough for what all of them asked for. Files looked at are
    counted on each host; the resident share is that of the bytes asked for.
    """
    if len(hosts) == 1:
        return hosts[0].evidence
    if all(host.evidence is None for host in hosts):
        return None
    groups = [group for group in counters(hosts) if any(map(_asked, group))]
    found = [each for group in groups for each in _states(group, policy)] or [_idle(hosts)]
    if unsure := _unsure(hosts):
        found.append(_Found(CacheState.UNKNOWN, 0, unsure))
    state = _whole([each.state for each in found])
    known = [host.evidence for host in hosts if host.evidence is not None]
    delivered = [_delivered(group) for group in groups]
    return Evidence(
        state=state,
        reason=expectation(policy, state) + _reason(state, found, hosts, policy),
        asked_bytes=sum(each.asked_bytes for each in known),
        resident_share=_resident(known),
        resident_files=sum(each.resident_files for each in known),
        files=sum(each.files for each in known),
        resident_method=_texts(each.resident_method for each in known),
        delivered_bytes=None if unsure or None in delivered else sum(filter(None, delivered)),
        delivered_source=_texts(each.delivered_source for each in known),
        eviction=_texts(each.eviction for each in known),
    )


def _asked(host: OnHost) -> bool:
    """Whether a host's part says anything: who asked for nothing had no share of the work."""
    return host.evidence is None or host.evidence.asked_bytes > 0


def _idle(hosts: Sequence[OnHost]) -> _Found:
    return _Found(CacheState.UNKNOWN, 0, f"none of {len(hosts)} hosts asked for bytes")


def _unsure(hosts: Sequence[OnHost]) -> str:
    """Why counters of hosts may be the same ones; empty where they are known."""
    unknown = [h.host for h in hosts if h.boot is None or h.device_id is None]
    if len(unknown) < 2:
        return ""
    return f"{_names(unknown)} may read the same counters: their kernels are not known"


def _states(group: Sequence[OnHost], policy: CachePolicy) -> list[_Found]:
    """The state of each of the hosts that share their counters, or one of all of them."""
    found = [_state(host, policy) for host in group if _asked(host)]
    share = _delivered_share(group)
    cold = all(each.state is CacheState.COLD for each in found)
    if len(found) < 2 or not cold or share is None or share >= COLD_DELIVERED:
        return found
    state = CacheState.WARM if share <= WARM_DELIVERED else CacheState.MIXED
    names = _names([host.host for host in group])
    text = (
        f"{names} {state}: they share one mount, which got {100 * share:.1f} % of what they asked"
    )
    return [_Found(state, len(found), text)]


def _state(host: OnHost, policy: CachePolicy) -> _Found:
    if host.evidence is None:
        return _Found(CacheState.UNKNOWN, 1, f"{host.host} unknown: no evidence was taken")
    state = host.evidence.state
    return _Found(state, 1, f"{host.host} {state}: {_why(host.evidence, policy)}")


def _why(evidence: Evidence, policy: CachePolicy) -> str:
    return evidence.reason.removeprefix(expectation(policy, evidence.state))


def _whole(states: Sequence[CacheState]) -> CacheState:
    found = set(states)
    if len(found) == 1:
        return found.pop()
    return CacheState.MIXED if found & {CacheState.WARM, CacheState.MIXED} else CacheState.UNKNOWN


def _delivered(group: Sequence[OnHost]) -> int | None:
    """What the counters of a group delivered: the most that one of its hosts saw."""
    found = [host.evidence.delivered_bytes for host in group if host.evidence is not None]
    known = [moved for moved in found if moved is not None]
    return max(known) if known and len(known) == len(group) else None


def _delivered_share(group: Sequence[OnHost]) -> float | None:
    moved = _delivered(group)
    asked = sum(host.evidence.asked_bytes for host in group if host.evidence is not None)
    return None if moved is None or not asked else moved / asked


def _resident(known: Sequence[Evidence]) -> float | None:
    """The resident share of the bytes that were asked for; None where a part of it is not known."""
    asked = sum(each.asked_bytes for each in known)
    parts = [each for each in known if each.asked_bytes]
    if not asked or any(each.resident_share is None for each in parts):
        return None
    return sum((each.resident_share or 0.0) * each.asked_bytes for each in parts) / asked


def _reason(
    state: CacheState, found: Sequence[_Found], hosts: Sequence[OnHost], policy: CachePolicy
) -> str:
    """Which hosts made the phase what it is, each with its own reason; of all cold the scantest."""
    if state is CacheState.COLD:
        return f"on all {len(hosts)} hosts; the least was delivered to {_scantest(hosts, policy)}"
    unknown = [each for each in found if each.state is CacheState.UNKNOWN]
    cached = [each for each in found if each.state in (CacheState.WARM, CacheState.MIXED)]
    told = [each.text for each in (*cached, *unknown)]
    cold = sum(each.hosts for each in found if each.state is CacheState.COLD)
    more = f"; {len(told) - _NAMED} more like that" if len(told) > _NAMED else ""
    rest = f"; cold on the other {cold}" if cold else ""
    return "; ".join(told[:_NAMED]) + more + rest


def _scantest(hosts: Sequence[OnHost], policy: CachePolicy) -> str:
    """The host that got the smallest share of what it asked for, with its reason."""
    known = [(h.host, h.evidence) for h in hosts if h.evidence and h.evidence.asked_bytes]
    name, evidence = min(known, key=lambda each: _share_of(each[1]))
    return f"{name}: {_why(evidence, policy)}"


def _share_of(evidence: Evidence) -> float:
    share = evidence.delivered_share
    return math.inf if share is None else share


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    left = len(names) - _NAMED
    return f"{shown} and {left} more hosts" if left > 0 else shown


def _texts(texts: Iterable[str]) -> str:
    """Each different text once; of many the first ones."""
    found = list(dict.fromkeys(filter(None, texts)))
    left = len(found) - _NAMED
    return "; ".join(found[:_NAMED]) + (f"; {left} others" if left > 0 else "")


def condensed(seen: Telemetry, hosts: int) -> Telemetry:
    """``seen`` in so few intervals that the telemetry of ``hosts`` hosts fits into one record.

    Neighbouring intervals become one, with the mean over their time; of single processors the
    busiest stays. Up to six hosts keep every interval.
    """
    most = max(_MOST_INTERVALS // hosts, _FEWEST_INTERVALS)
    factor = -(-len(seen.ends_ns) // most)
    if factor <= 1:
        return seen
    last = len(seen.ends_ns) - 1
    ends = [min(n, last) for n in range(factor - 1, last + factor, factor)]
    lengths = [e - b for b, e in zip((0, *seen.ends_ns), seen.ends_ns, strict=False)]
    kept = _kept(seen)
    return Telemetry(
        ends_ns=tuple(seen.ends_ns[n] for n in ends),
        series={name: _means(seen.series[name], lengths, factor) for name in kept},
        cost_ns=seen.cost_ns,
        watched_ns=seen.watched_ns,
    )


def _kept(seen: Telemetry) -> list[str]:
    cores = [name for name in seen.series if name.startswith(_CORE)]
    busiest = max(cores, key=lambda name: seen.mean(name) or 0.0, default="")
    return [name for name in seen.series if not name.startswith(_CORE) or name == busiest]


def _means(
    values: Sequence[float | None], lengths: Sequence[int], factor: int
) -> tuple[float | None, ...]:
    found: list[float | None] = []
    for n in range(0, len(values), factor):
        pairs = zip(values[n : n + factor], lengths[n : n + factor], strict=True)
        known = [(value, length) for value, length in pairs if value is not None and length > 0]
        whole = sum(length for _, length in known)
        mean = sum(value * length for value, length in known) / whole if whole else None
        found.append(None if mean is None else float(f"{mean:.{_DIGITS}g}"))
    return tuple(found)
