"""The serve kind: a KV cache that is offloaded and reloaded, and the cold start of a model."""

from typing import Any

import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.formats.files import size_of, total_bytes
from aibench.generators.kind import Request
from aibench.generators.models import PRESETS
from aibench.generators.serve import KIND, TOKEN_BYTES, Settings, shard_sizes
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy

GB = 10**9


def phases(cache: CachePolicy | None = None, **settings: Any) -> tuple[Phase, ...]:
    """The phases of ``settings`` for a workload named server on two cores."""
    checked = parse(Settings, settings, "serve.toml")
    return KIND.phases(checked, Request(workload="server", seed=3, cpus=2, cache=cache))


#: Layers, KV heads, dimension of a head: as the models were published.
SHAPES = {
    "mistral-7b": (32, 8, 128),
    "llama3.1-8b": (32, 8, 128),
    "llama2-7b": (32, 32, 128),
    "llama3.1-70b": (80, 8, 128),
    "qwen3-32b": (64, 8, 128),
}


@pytest.mark.parametrize("model", SHAPES)
def test_bytes_of_a_token_follow_from_the_model(model: str) -> None:
    """Layers x KV heads x dimension of a head x keys and values x 2 bytes."""
    layers, heads, dimension = SHAPES[model]
    assert TOKEN_BYTES[model] == layers * heads * dimension * 2 * 2


def test_latent_attention_stores_less() -> None:
    """DeepSeek V3 keeps 576 values of 2 bytes a token in each of its 61 layers."""
    assert TOKEN_BYTES["deepseek-v3"] == 61 * 576 * 2


def test_a_cache_is_filled_and_then_asked() -> None:
    """Blocks are written once, then read and replaced for a time by another worker's number."""
    fill, serve = phases(part="cache", kv_model="llama3.1-70b", tokens=16, blocks=40, runtime="5s")
    assert (fill.operation, serve.operation) == (Operation.INGEST, Operation.SERVE_BLOCKS)
    assert fill.population == serve.population
    assert not fill.population.persistent
    assert size_of(fill.population, 0) == 16 * 327_680
    assert (serve.runtime_ns, serve.cache) == (5 * GB, CachePolicy.COLD)
    assert fill.sync is serve.sync is SyncPolicy.END
    assert serve.processes == fill.processes


def test_requests_need_whole_blocks() -> None:
    """The contexts of each kind in the mix, in blocks, rounded up."""
    _, serve = phases(part="cache", tokens=256, mix=["chatbot", "coding"], hit_ratio=0.3)
    assert serve.serving is not None
    assert serve.serving.requests == ((2, 16), (16, 98))
    assert serve.serving.hits == 0.3


@pytest.mark.parametrize(("reader", "named"), [("mmap", "safetensors"), ("read", "lean")])
def test_weights_are_laid_out_and_read(reader: str, named: str) -> None:
    """All weights in 2 bytes, in files of at most the size asked for, each read once."""
    layout, start = phases(part="start", reader=reader, scale=0.1)
    weights = int(PRESETS["8b"][0].parameters * 2 * 0.1)
    assert layout.population == start.population
    assert weights < total_bytes(start.population) < weights * 1.001
    assert (start.operation, start.reader) == (Operation.LOAD_SHARDS, named)
    assert start.processes == start.population.files == 1


def test_files_of_weights_are_full_but_the_last() -> None:
    """No file is larger than asked for, and none is empty."""
    assert shard_sizes(16 * GB, 5 * GB) == [5 * GB, 5 * GB, 5 * GB, GB]
    assert shard_sizes(10, 5) == [5, 5]
    assert shard_sizes(3, 5) == [3]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "part"),
        ({"part": "graph"}, "'cache', 'start' or 'index', not 'graph'"),
        ({"part": "cache", "kv_model": "tea"}, "no model 'tea'; known: tiny-1b"),
        ({"part": "start", "weights": "9b"}, "no model '9b'; known: 8b"),
        ({"part": "cache", "hit_ratio": 0}, "has to be greater than 0"),
        ({"part": "cache", "runtime": "0s"}, "runtime, shard_size and mix"),
        ({"part": "cache", "mix": []}, "runtime, shard_size and mix"),
        ({"part": "cache", "io_size": "1000B"}, "multiple of 4KiB"),
        ({"part": "cache", "weights": "8b"}, "weights: mean nothing for part 'cache'"),
        ({"part": "start", "blocks": 5}, "blocks: mean nothing for part 'start'"),
    ],
)
def test_mistakes_say_what_would_be_right(settings: dict[str, Any], words: str) -> None:
    """Impossible settings are refused with what would be right."""
    with pytest.raises(DefinitionError) as wrong:
        phases(**settings)
    assert words in str(wrong.value)


def test_what_can_not_be_done_is_refused() -> None:
    """Too few blocks, blocks that O_DIRECT can't have, and weights past the page cache."""
    with pytest.raises(ValueError, match="two blocks a worker, not 7 for 4 workers"):
        phases(part="cache", blocks=7)
    with pytest.raises(ValueError, match="no multiple of 4KiB"):
        phases(CachePolicy.DIRECT, part="cache", kv_model="deepseek-v3", tokens=1)
    with pytest.raises(ValueError, match="through the page cache"):
        phases(CachePolicy.DIRECT, part="start")
    with pytest.raises(ValueError, match="makes more than 100,000 files of these weights"):
        phases(part="start", shard_size="1kB")


@pytest.mark.parametrize(
    ("dimension", "value_bytes", "node", "reads"),
    [(1536, 4, 8192, 1000), (512, 4, 4096, 1000), (128, 4, 4096, 200), (96, 1, 4096, 91)],
)
def test_nodes_of_an_index_lie_in_sectors(
    dimension: int, value_bytes: int, node: int, reads: int
) -> None:
    """A node is the vector, a count and 64 neighbours: several to 4 KiB, or one in several."""
    laid, search = phases(
        part="index", vectors=1000, dimension=dimension, value_bytes=value_bytes, search_list=10
    )
    assert search.search is not None
    assert (search.search.node_bytes, search.search.nodes) == (node, reads)
    assert (search.search.hops, search.search.beam) == (3, 4)
    assert size_of(laid.population, 0) == 4096 + node * reads
    assert search.operation is Operation.SEARCH_INDEX


def test_each_part_has_its_own_settings() -> None:
    """What means nothing for a part is refused, by name."""
    with pytest.raises(DefinitionError, match="tokens, weights: mean nothing for part 'index'"):
        phases(part="index", tokens=4, weights="8b")
