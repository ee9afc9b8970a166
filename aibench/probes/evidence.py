"""Decides from figures alone where the bytes of a read phase came from.

``cold`` is never given the benefit of the doubt: a counter that others share, a cache that can't
be seen, or a phase too small for its counter make a phase ``unknown``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aibench.model import CachePolicy, CacheState, Evidence, Target
from aibench.probes.cache import Eviction, Residency
from aibench.probes.delivered import Delivered, DeliveryCounter, Passed
from aibench.units import format_size

COLD_DELIVERED = 0.95
COLD_RESIDENT = 0.02
WARM_DELIVERED = 0.05
WARM_RESIDENT = 0.50
AMPLIFIED = 1.5
SMALLEST_COUNTED = 2**20
"""Below this, other traffic and the filesystem's own metadata drown the workload's bytes."""


class _Figures(NamedTuple):
    """What the decision is made from; shares are None where they are not known."""

    policy: CachePolicy
    asked: int
    counter: DeliveryCounter
    memory: str
    hidden_cache: str
    resident: float | None
    unseen: float
    layers: tuple[Delivered, ...]
    least: Delivered | None
    delivered: float | None
    others: int
    dropped: bool


def classify(
    *,
    policy: CachePolicy,
    target: Target,
    asked_bytes: int,
    residency: Residency | None,
    passed: Passed,
    counter: DeliveryCounter,
    eviction: Eviction | None = None,
) -> Evidence:
    """Where the bytes of a read phase came from, with the figures that say so.

    ``residency`` is from just before the phase, ``passed`` from during it. Of the layers of
    ``counter`` the one that delivered least counts, because what it did not deliver came from a
    cache above it.
    """
    own = None if target.is_network else passed.own
    direct = policy is CachePolicy.DIRECT
    least = _least(passed.layers)
    moved = least.bytes if least else None
    fuse = target.fstype.partition(".")[0] in ("fuse", "fuseblk")
    figures = _Figures(
        policy=policy,
        asked=asked_bytes,
        counter=counter,
        memory=counter.memory or (f"{target.fstype} is memory" if target.is_memory else ""),
        hidden_cache=f"{target.fstype} is served by a process that may cache" if fuse else "",
        resident=residency.share if residency else None,
        unseen=_unseen(residency),
        layers=passed.layers,
        least=least,
        delivered=_share(moved, own, asked_bytes),
        others=max(0, (passed.asked_by_all or 0) - (0 if direct else asked_bytes)),
        dropped=eviction is not None and eviction.method == "drop_caches",
    )
    state, why = _decide(figures)
    parts = [
        why,
        _resident_text(residency),
        _delivered_text(figures),
        *_traffic_notes(moved, own, asked_bytes),
        *_cache_notes(state, figures, target, eviction),
    ]
    return Evidence(
        state=state,
        reason=expectation(policy, state) + "; ".join(filter(None, parts)),
        asked_bytes=asked_bytes,
        resident_share=figures.resident,
        resident_files=residency.files if residency else 0,
        files=residency.population if residency else 0,
        resident_method=residency.method if residency else "",
        delivered_bytes=moved,
        delivered_source=least.source if least else counter.source,
        eviction=eviction.sentence if eviction else "",
    )


def _unseen(residency: Residency | None) -> float:
    """The share of the files that should have been looked at and could not be."""
    if residency is None:
        return 1.0
    return residency.missed / max(1, residency.files + residency.missed)


def _least(delivered: Sequence[Delivered]) -> Delivered | None:
    """The layer that delivered least, the uppermost of equals; None where nothing is known."""
    known = [layer for layer in delivered if layer.bytes is not None]
    return min(known, key=lambda layer: layer.bytes or 0, default=None)


def _share(delivered: int | None, own: int | None, asked: int) -> float | None:
    """Delivered over asked, with what went to other processes taken off where it is known."""
    if delivered is None or asked <= 0:
        return None
    return (delivered if own is None else min(delivered, own)) / asked


def _decide(figures: _Figures) -> tuple[CacheState, str]:
    """The state, and what decided it."""
    if figures.asked <= 0:
        return CacheState.UNKNOWN, "the phase asked for no bytes"
    return _warm(figures) or _between(figures) or _doubt(figures) or (CacheState.COLD, "")


def _warm(figures: _Figures) -> tuple[CacheState, str] | None:
    """Warm, where one sign of memory suffices.

    What the page cache held before is none where storage delivered most of the bytes all the same:
    it was given up before it was read.
    """
    if figures.memory:
        return CacheState.WARM, figures.memory
    held = figures.policy is not CachePolicy.DIRECT and (figures.resident or 0) >= WARM_RESIDENT
    if held and (figures.delivered or 0) <= 1 - WARM_RESIDENT:
        return CacheState.WARM, "the page cache held most of the bytes"
    if figures.delivered is not None and figures.delivered <= WARM_DELIVERED:
        return CacheState.WARM, "storage delivered next to nothing"
    return None


def _between(figures: _Figures) -> tuple[CacheState, str] | None:
    """Mixed, where what is known is neither cold nor warm; unknown, where nothing was counted."""
    if figures.delivered is None:
        return CacheState.UNKNOWN, figures.counter.reason or "the counter could not be read"
    if figures.delivered < COLD_DELIVERED:
        return CacheState.MIXED, "storage delivered only a part of the bytes"
    if figures.policy is not CachePolicy.DIRECT and (figures.resident or 0) > COLD_RESIDENT:
        return CacheState.MIXED, "the page cache held a part of the bytes"
    return None


def _doubt(figures: _Figures) -> tuple[CacheState, str] | None:
    """Unknown, where all looks cold and something decisive was not seen."""
    direct = figures.policy is CachePolicy.DIRECT
    if figures.hidden_cache:
        why = figures.hidden_cache
    elif not direct and figures.resident is None:
        why = "what was resident before is not known"
    elif not direct and figures.unseen > COLD_RESIDENT:
        why = f"{100 * figures.unseen:.1f} % of the files could not be looked at"
    elif figures.asked < SMALLEST_COUNTED:
        small = format_size(SMALLEST_COUNTED)
        why = f"less than {small} was asked for, too little to tell from other traffic"
    else:
        why = _doubt_below(figures)
    return (CacheState.UNKNOWN, why) if why else None


def _doubt_below(figures: _Figures) -> str:
    """Why a cache below the page cache, or others who read there too, can't be excluded."""
    counter, lowest = figures.counter, figures.layers[-1]
    silent = next((layer.source for layer in figures.layers if layer.bytes is None), "")
    if counter.uncounted or silent:
        return counter.uncounted or f"{silent} could not be read any more"
    if counter.cached_below and not figures.dropped:
        return f"{_cached_image(counter)}, which was not emptied"
    has_cache = counter.cached_below or counter.cache
    if has_cache and (lowest.bytes or 0) > AMPLIFIED * figures.asked:
        cache = counter.cache or _cached_image(counter)
        return f"{cache}, and what {lowest.source} delivered to others is not known"
    if figures.others > (1 - COLD_DELIVERED) * figures.asked:
        others = format_size(figures.others)
        return f"other programs read {others} of the same mount: whose bytes it served is not known"
    return ""


def _cached_image(counter: DeliveryCounter) -> str:
    return f"{counter.cached_below} reads its image through this host's page cache"


def expectation(policy: CachePolicy, state: CacheState) -> str:
    """How the state stands to what was asked for; empty for ``as-found`` and where unknown."""
    wanted = CacheState.WARM if policy is CachePolicy.WARM else CacheState.COLD
    if policy is CachePolicy.AS_FOUND or state is CacheState.UNKNOWN:
        return ""
    return f"{wanted} as asked: " if state is wanted else f"not {wanted} as asked: "


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 1 else f"{100 * share:.0f} %"


def _resident_text(residency: Residency | None) -> str:
    if residency is None or residency.share is None:
        return ""
    files = residency.files + residency.missed
    chosen = "a random sample, " if files < residency.population else ""
    looked = f"{chosen}{residency.files} of {residency.population} files"
    text = f"{_percent(residency.share)} resident before ({residency.method}, {looked})"
    if residency.missed:
        text += f"; {residency.missed} files not looked at ({residency.problems[0]})"
    return text


def _delivered_text(figures: _Figures) -> str:
    """What the layer that delivered least did, in full, and what the others did."""
    least, asked = figures.least, figures.asked
    if least is None or least.bytes is None or asked <= 0:
        return ""
    share = _percent(least.bytes / asked)
    text = f"{least.source} delivered {format_size(least.bytes)}, {share} of the "
    text += f"{format_size(asked)} asked for"
    others = [layer for layer in figures.layers if layer is not least]
    told = [f"{source} {format_size(moved)}" for source, moved in others if moved is not None]
    return "; ".join([text, *told])


def _traffic_notes(delivered: int | None, own: int | None, asked: int) -> list[str]:
    """Whose traffic the counter saw, where that is known or suspicious."""
    if delivered is None or asked <= 0:
        return []
    notes = []
    if own is not None:
        share = _percent(own / asked)
        notes.append(f"the workload's own processes caused {format_size(own)} ({share}) of reads")
    if delivered > AMPLIFIED * asked:
        other, amplified = "other traffic", "read amplification"
        cause = f"{amplified} or {other}"
        if own is not None:
            cause = amplified if own > AMPLIFIED * asked else other
        notes.append(f"{delivered / asked:.1f}× of what was asked for is {cause}")
    return notes


def _cache_notes(
    state: CacheState, figures: _Figures, target: Target, eviction: Eviction | None
) -> list[str]:
    """The caches that a cold phase may still have met, and those that gave what storage did not."""
    notes, counter = [], figures.counter
    cold = state is CacheState.COLD
    if cold and eviction is not None and eviction.method == "fadvise":
        notes.append("directory entries and attributes were not evicted")
    if cold and target.is_network:
        notes.append("the server's own cache is out of sight")
    if cold and counter.cached_below:
        notes.append(f"{_cached_image(counter)}, dropped before")
    if state in (CacheState.WARM, CacheState.MIXED) and figures.least in figures.layers[1:]:
        notes += [_cached_image(counter)] if counter.cached_below else []
        notes += [counter.cache] if counter.cache else []
    return notes
