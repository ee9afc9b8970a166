"""How large each sample is: drawn from a distribution by its index alone."""

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from aibench.formats.mixing import key, mix
from aibench.model import Population, Sizes

#: Size classes of a distribution; the index picks one by `mix`.
_CLASSES = 4096
_HALVINGS = 120

Sizes64 = NDArray[np.int64]


@lru_cache(maxsize=64)
def size_classes(sizes: Sizes) -> Sizes64:
    """The size in bytes of each class; their mean is that of ``sizes``, to the byte.

    Of listed sizes each sample is a class of its own.
    """
    if sizes.distribution == "fixed":
        return np.full(_CLASSES, sizes.mean, dtype=np.int64)
    if sizes.distribution == "listed":
        return _listed(sizes)
    normal = NormalDist()
    deviations = np.array([normal.inv_cdf((i + 0.5) / _CLASSES) for i in range(_CLASSES)])
    shape = np.exp(sizes.sigma * deviations)
    low, high = 0.0, sizes.largest / float(shape[0])  # here all of them would be the largest
    for _ in range(_HALVINGS):
        median = (low + high) / 2
        if np.clip(median * shape, sizes.smallest, sizes.largest).mean() < sizes.mean:
            low = median
        else:
            high = median
    table = np.clip(np.rint(high * shape), sizes.smallest, sizes.largest).astype(np.int64)
    excess = int(table.sum()) - sizes.mean * _CLASSES
    movable = np.flatnonzero(table > sizes.smallest if excess > 0 else table < sizes.largest)
    table[movable[: abs(excess)]] -= np.sign(excess)
    return table


def _listed(sizes: Sizes) -> Sizes64:
    counts, each = zip(*sizes.listed, strict=True)
    return np.repeat(np.array(each, dtype=np.int64), counts)


def size_salt(population: Population) -> int:
    """What is added to a sample's index before `mix` picks its size class by the top 12 bits."""
    return key(population.seed, 0x73697A65)


def sample_sizes(population: Population, indices: Sizes64) -> Sizes64:
    """The sizes in bytes of many samples, without what a format puts around them."""
    table = size_classes(population.sizes)
    if population.sizes.distribution == "fixed":
        return np.full(len(indices), population.sizes.mean, dtype=np.int64)
    if population.sizes.distribution == "listed":
        return table[indices]
    start = np.uint64(size_salt(population))
    return table[(mix(start + indices.astype(np.uint64)) >> np.uint64(52)).astype(np.int64)]
