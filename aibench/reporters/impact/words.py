"""The words that all formats of a projection share."""

from typing import Any

from aibench.reporters.wording import MISSING

#: The figures of a storage in the order in which they are shown: key, title.
FIGURES = (
    ("write", "durable write bandwidth"),
    ("stall", "stall of a checkpoint"),
    ("durable", "checkpoint durable after"),
    ("interval", "work between checkpoints"),
    ("interval_best", "the best of that, exact"),
    ("interval_young", "by Young"),
    ("interval_daly", "by Daly"),
    ("restart", "restart after a failure"),
    ("goodput", "goodput, exact"),
    ("goodput_first_order", "in first order"),
    ("goodput_ettr", "effective training time ratio"),
    ("checkpoint_loss", "lost to checkpoints"),
    ("rework_loss", "lost to work done again"),
    ("restart_loss", "lost to restarts"),
    ("utilisation", "accelerators fed"),
    ("useful", "useful share of the time"),
    ("elapsed_utilisation", "utilisation over all time (MFU)"),
)
#: Figures that belong below the one before them.
BELOW = frozenset(
    {"interval_best", "interval_young", "interval_daly", "goodput_first_order", "goodput_ettr"}
)
#: Formulas that hold for rare failures only, and give less than nothing elsewhere.
_SIMPLE = frozenset({"goodput_first_order", "goodput_ettr"})
VERDICTS = {
    "CONSISTENT": "consistent with the model",
    "INCONSISTENT": "not consistent with the model",
    "INCONSISTENT_BOUND": "beyond what any storage could do",
}
NOT_A_VERDICT = "A projection is no measurement: a claim is consistent with it or not, never met."


def headline(document: dict[str, Any]) -> str:
    """The projection in one sentence."""
    candidate, gain, cap = document["candidate"], document["gain"], document["cap"]
    if not candidate["progresses"]:
        return "The job makes no progress on this storage: restarts take longer than it runs."
    useful = ranged(candidate["useful"])
    if gain is None and document["baseline"] is None:
        return (
            f"{useful} of the time is useful work. Storage that takes no time would make that "
            f"{ranged(cap)} times as much."
        )
    if gain is not None and gain["typical"] is None:
        return (
            f"{useful} of the time is useful work. On the baseline the job makes no progress: "
            "there is no bound to the gain."
        )
    if gain is None:
        return f"{useful} of the time is useful work, and there is no gain to speak of."
    return (
        f"{ranged(gain)} times the useful work of the baseline; storage that takes no time would "
        f"give {ranged(cap)} times. {useful} of the time is useful work."
    )


def ranged(found: dict[str, Any] | None) -> str:
    """``0.926 [0.81, 0.936]``, or the sign for missing."""
    if found is None:
        return MISSING
    return f"{found['printed']} {found['printed_range']}" if found["printed_range"] else (
        str(found["printed"])
    )  # fmt: skip


def printed(found: dict[str, Any] | None) -> str:
    """A number as printed, or the sign for missing."""
    return MISSING if found is None else str(found["printed"])


def figure(side: dict[str, Any] | None, key: str) -> str:
    """One figure of a storage, printed."""
    if side is None:
        return MISSING
    if not side["progresses"] and key in ("goodput", "useful"):
        return "makes no progress"
    if key in _SIMPLE and side[key] is not None and side[key]["value"] < 0:
        return "does not hold"
    return ranged(side[key]) if key == "useful" else printed(side[key])


def names_of_curve(document: dict[str, Any]) -> tuple[str, str]:
    """What the two lines of the curve are."""
    mtbf = printed(document["job"]["mtbf"])
    return f"a failure every {mtbf}", "failures as often as the inputs allow"


def origin(each: dict[str, Any]) -> str:
    """``measured``, ``assumed`` or ``solved for``."""
    return "solved for" if each["origin"] == "solved" else str(each["origin"])
