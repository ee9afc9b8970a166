"""Checkpoints of the model whose traces are published: how many calls there are, of which sizes."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from aibench.engines.null import _instant_calls
from aibench.formats.files import size_of
from aibench.formats.format import Access, Payload, format_of
from aibench.workers.loops.buffers import buffer_named
from tests.fidelity import saving

#: What `torch.save` and `torch.load` did to a model of 121 tensors, as published: 32000 x 512
#: values, then twelve layers of these sizes.
_LAYER = (2**20,) * 4 + (2**22,) * 2 + (2048,) * 4
_MODEL = (65_536_000, *_LAYER * 12)
_READS = {4096: (183, 105), 131_072: (157, 76), 2**20: (109, 76)}


@pytest.mark.parametrize("block", _READS)
def test_reads_follow_the_block_size(block: int) -> None:
    """With blocks of 4 KiB, 128 KiB and 1 MiB there are as many reads as of the real model.

    Names are longer here, so that single reads differ by the length of a header.
    """
    files = saving.population("torch_stream", [sum(_MODEL)], _MODEL)
    calls = _instant_calls(files)
    reads: list[int] = []

    def readv(fd: int, buffers: list[memoryview]) -> int:
        reads.append(calls.readv(fd, buffers))
        return reads[-1]

    access = Access(replace(calls, readv=readv), 0, files, block=block)
    made = format_of(files).readers["torch"].make(access)
    assert sum(made.samples(iter([np.zeros(1, dtype=np.int64)]))) == size_of(files, 0)
    every, full = _READS[block]
    assert len(reads) == pytest.approx(every, abs=4)
    assert reads.count(block) == pytest.approx(full, abs=4)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("torch", {1_048_640: 48, 2112: 48, 4_194_368: 24}),
        ("torch_stream", {2**20: 48, 2**22: 24, 65_536_000: 1}),
        ("safetensors", {2**20: 48, 2**22: 24, 8192: 12, 65_536_000: 1}),
    ],
)
def test_writes_are_those_of_the_real_model(form: str, expected: dict[int, int]) -> None:
    """Calls have the sizes that were traced; names are longer here, so single headers are too."""
    files = saving.population(form, [sum(_MODEL)], _MODEL)
    sizes: list[int] = []
    buffer = buffer_named(
        format_of(files).saving.buffer,  # type: ignore[union-attr]
        lambda views: sizes.append(sum(map(len, views))), 4096, (3, 11),
    )  # fmt: skip
    zeros = memoryview(bytes(max(_MODEL)))
    for part in format_of(files).parts(files, 0, lambda _payload: iter(())):
        if part:
            buffer.write(zeros[: part.length] if isinstance(part, Payload) else memoryview(part))
    buffer.flush()
    counted = Counter(sizes)
    for size, count in expected.items():
        near = sum(n for found, n in counted.items() if abs(found - size) <= 64)
        assert near == count, (size, counted)
