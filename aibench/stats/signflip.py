"""The exact sign-flip test: what pairs say with no assumption but that chance named the sides.

If nothing tells the sides apart, every ratio could as well have been its inverse, so all 2^n ways
to give signs to the logarithms are as likely. With five pairs no p is below 0.0625; with six 0.031
is possible.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Fewer pairs can't reach 5 %.
FEWEST = 6
#: More pairs than this are not enumerated.
MOST = 40
#: Sums that differ by this share of the largest are the same sum in another order.
_ROUNDING = 1e-12


def sign_flip_p(logarithms: Sequence[float]) -> float | None:
    """The two-sided p, exact over all 2^n signs; None for fewer than `FEWEST` or over `MOST` pairs.

    Each half of the pairs has its sums enumerated, and those of the one are looked up among the
    sorted ones of the other: 2^(n/2) steps.
    """
    n = len(logarithms)
    if not FEWEST <= n <= MOST:
        return None
    values = np.abs(np.asarray(logarithms, dtype=np.float64))
    slack = _ROUNDING * float(values.sum())
    reached = abs(float(np.sum(logarithms))) - slack
    if reached <= 0:
        return 1.0
    left, right = _sums(values[: n // 2]), np.sort(_sums(values[n // 2 :]))
    above = len(right) - np.searchsorted(right, reached - left, side="left")
    # The sums are symmetric around 0, so as many lie at or below the negative.
    return min(2 * float(above.sum()) / 2.0**n, 1.0)


def _sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums of ``values`` with every choice of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums
