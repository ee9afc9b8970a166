"""Sizes of checkpoints, against what published benchmarks of them print."""

import pytest

from aibench.generators.models import (
    OPTIMIZER_BYTES,
    PRESETS,
    WEIGHT_BYTES,
    Layout,
    Model,
    shares,
    total_bytes,
)

GIB = 2**30
#: (parameters in 10^9, ranks, weights and all in GiB, files) as printed for each model.
PRINTED = {
    "8b": (8.03, 8, 15.0, 104.7, 16),
    "70b": (69.9, 64, 130.2, 911.2121, 128),
    "405b": (405.9, 512, 756.0, 5292.2487, 1544),
    "1t": (1183, 1024, 2203.7, 15426.589, 2072),
}


@pytest.mark.parametrize("name", PRINTED)
def test_presets_are_as_printed(name: str) -> None:
    """Parameters, ranks, files and bytes agree with the published figures, to their last digit."""
    parameters, ranks, weights, total, files = PRINTED[name]
    model, layout = PRESETS[name]
    found = shares(model, layout)
    assert model.parameters / 1e9 == pytest.approx(parameters, rel=0.002)
    assert layout.ranks == len(found) == ranks
    assert sum(len(share.files) for share in found) == files
    assert sum(sum(share.weights) for share in found) / GIB == pytest.approx(weights, abs=0.06)
    digits = len(str(total).partition(".")[2])
    assert total_bytes(model, layout) / GIB == pytest.approx(total, abs=0.6 * 10**-digits)


@pytest.mark.parametrize(("name", "least", "most"), [("405b", 8.86, 12.32), ("1t", 12.91, 17.97)])
def test_shares_of_ranks(name: str, least: float, most: float) -> None:
    """The smallest and the largest rank are those of the published table."""
    found = [sum(share.files) / GIB for share in shares(*PRESETS[name])]
    assert min(found) == pytest.approx(least, abs=0.006)
    assert max(found) == pytest.approx(most, abs=0.006)


@pytest.mark.parametrize(
    ("name", "weights", "optimizer", "copies"),
    [
        ("8b", 1.87, 11.2, (8, 8)),
        ("70b", 2.03, 12.2, (64, 64)),
        ("405b", 0.742, 8.86, (8 * (126 + 3), 512)),  # 760 MiB: layers, embedding, norm and head
        ("1t", 2.14, 12.9, (8 * (128 + 3), 1024)),
    ],
)
def test_files_are_as_large_and_as_many_as_printed(
    name: str, weights: float, optimizer: float, copies: tuple[int, int]
) -> None:
    """Weights are files of a layer, or of a rank's part; each rank has one of its optimizer."""
    model, layout = PRESETS[name]
    found = shares(model, layout)
    assert max(size for share in found for size in share.weights) / GIB == pytest.approx(
        weights, abs=0.006
    )
    assert {share.optimizer for share in found} == {found[0].optimizer}
    assert found[0].optimizer / GIB == pytest.approx(optimizer, abs=0.06)
    assert (sum(len(share.weights) for share in found), len(found)) == copies
    if layout.zero == 1:  # only the first data parallel copy writes weights
        half = layout.tensor * layout.pipeline
        assert all(share.weights for share in found[:half])
        assert not any(share.weights for share in found[half:])
        part = WEIGHT_BYTES * (model.layer_parameters - 2 * model.hidden) // layout.tensor
        assert part + 2 * WEIGHT_BYTES * model.hidden in found[0].weights


def test_optimizer_states_by_the_published_formula() -> None:
    """Three tensors in 4 bytes of a rank's parameters, and of five values of hidden size."""
    for model, layout in PRESETS.values():
        each = -(-model.parameters // layout.ranks)
        assert shares(model, layout)[-1].optimizer == 3 * 4 * (each + 5 * model.hidden)
    assert (WEIGHT_BYTES, OPTIMIZER_BYTES) == (2, 12)


def test_parameters_by_hand() -> None:
    """A model small enough to count."""
    model = Model(hidden=4, feed_forward=8, heads=2, kv_heads=1, layers=2, vocabulary=10)
    layer = 4 + 4 * 4 + 2 * (4 * 2) + 4 * 4 + 4 + 3 * (4 * 8)
    assert model.layer_parameters == layer
    assert model.parameters == 10 * 4 + 2 * layer + 4 + 10 * 4


def test_impossible_layouts_are_refused() -> None:
    """Ranks of nothing, and stages of ZeRO that are not written this way."""
    for wrong in ({"data": 0}, {"zero": 2}, {"zero": 3, "pipeline": 2}):
        with pytest.raises(ValueError, match=r"layout|ZeRO"):
            Layout(**wrong)
