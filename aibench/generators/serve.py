"""Serving a model: its KV cache offloaded and reloaded, its weights loaded, an index searched."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Count, Duration
from aibench.definition.source import Strict
from aibench.generators.checkpoint import sizes_of_list
from aibench.generators.common import Workers, dataset, layout, scratch
from aibench.generators.kind import Kind, Request
from aibench.generators.models import PRESETS, WEIGHT_BYTES
from aibench.model import (
    CachePolicy,
    Operation,
    Phase,
    Population,
    Search,
    Serving,
    Sizes,
    SyncPolicy,
)
from aibench.workers.loops.search import HEAD_BYTES

#: Bytes of the KV cache for one token: layers x KV heads x head dimension x 2 x bytes of a value,
#: in 2 bytes, as the KV cache part of MLPerf Storage 3.0 has them. The last three have attention
#: that stores less.
TOKEN_BYTES = {
    "tiny-1b": 24_576,
    "mistral-7b": 131_072,
    "llama3.1-8b": 131_072,
    "llama2-7b": 524_288,
    "llama3.1-70b": 327_680,
    "qwen3-32b": 262_144,
    "deepseek-v3": 70_272,
    "gpt-oss-120b": 73_728,
    "gpt-oss-20b": 49_152,
}
#: The fewest and the most tokens of the contexts of a kind of request, of the same source.
CONTEXTS = {"chatbot": (512, 4096), "coding": (4096, 25_000), "document": (4096, 16_384)}
#: The settings that not all parts have.
_OWN = {
    "cache": ("kv_model", "tokens", "blocks", "hit_ratio", "mix", "runtime", "sync", "io_size"),
    "start": ("weights", "shard_size", "reader", "scale", "io_size"),
    "index": ("vectors", "dimension", "value_bytes", "degree", "search_list", "beam", "runtime"),
}
#: Sizes of shards are listed in the plan.
_MOST_SHARDS = 100_000
_BLOCK = 4096


class Settings(Strict):
    """The settings of a serve workload, of which there are three parts.

    ``cache``: a KV cache of ``blocks`` files, each of so many ``tokens`` of the ``kv_model``, is
    written; then, for ``runtime``, requests of a ``mix`` of kinds find the share ``hit_ratio`` of
    their blocks there, and write the others; each worker has its share of the blocks, and asks for
    no more in one request. ``sync`` says whether each block is synced.

    ``start``: the ``weights`` of a model, in 2 bytes, x ``scale``, in safetensors files of at most
    ``shard_size``, are read whole: by ``mmap``, every page used, or by ``read`` into memory.

    ``index``: for ``runtime``, queries walk a graph on storage as DiskANN does. Of each of so many
    ``vectors`` with ``dimension`` values of ``value_bytes`` and ``degree`` neighbours there is a
    node; a query reads as many as its ``search_list`` is long, ``beam`` at once.
    """

    part: Literal["cache", "start", "index"]
    kv_model: str = "llama3.1-8b"
    tokens: Annotated[int, Field(ge=1, le=65_536, strict=True)] = 256
    blocks: Count = 512
    hit_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    mix: tuple[Literal["chatbot", "coding", "document"], ...] = ("chatbot", "coding", "document")
    runtime: Duration = 60 * 10**9
    sync: Literal["none", "end"] = "end"
    weights: str = "8b"
    shard_size: Bytes = 5 * 10**9
    reader: Literal["mmap", "read"] = "mmap"
    scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    vectors: Annotated[int, Field(ge=1, le=10**10, strict=True)] = 1_000_000
    dimension: Annotated[int, Field(ge=1, le=65_536, strict=True)] = 1536
    value_bytes: Literal[1, 2, 4] = 4
    degree: Annotated[int, Field(ge=1, le=4096, strict=True)] = 64
    search_list: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 100
    beam: Annotated[int, Field(ge=1, le=128, strict=True)] = 4
    workers: Workers = 0
    io_size: Bytes = 2**20
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _belong_together(self) -> "Settings":
        others = {name for names in _OWN.values() for name in names} - set(_OWN[self.part])
        strange = sorted(others & self.model_fields_set)
        if strange:
            raise ValueError(f"{', '.join(strange)}: mean nothing for part {self.part!r}")
        return self

    @model_validator(mode="after")
    def _is_known(self) -> "Settings":
        if self.kv_model not in TOKEN_BYTES:
            raise ValueError(f"no model {self.kv_model!r}; known: {', '.join(TOKEN_BYTES)}")
        if self.weights not in PRESETS:
            raise ValueError(f"no model {self.weights!r}; known: {', '.join(PRESETS)}")
        if min(self.runtime, self.shard_size) < 1 or not self.mix:
            raise ValueError("runtime, shard_size and mix are more than nothing")
        if self.io_size < _BLOCK or self.io_size % _BLOCK:
            raise ValueError("io_size has to be a multiple of 4KiB")
        return self

    @property
    def node_bytes(self) -> int:
        """The bytes of one read of the index: a whole number of sectors of 4 KiB.

        A node is its vector, the number of its neighbours, and those, in 4 bytes each; several fit
        into a sector or one takes several (DiskANN, ``pq_flash_index.cpp``).
        """
        node = self.dimension * self.value_bytes + 4 + 4 * self.degree
        return -(-node // _BLOCK) * _BLOCK

    @property
    def reads(self) -> int:
        """How many different reads the index has."""
        node = self.dimension * self.value_bytes + 4 + 4 * self.degree
        return -(-self.vectors // max(_BLOCK // node, 1))

    @property
    def block_bytes(self) -> int:
        """The bytes of one block of the KV cache."""
        return TOKEN_BYTES[self.kv_model] * self.tokens


def _cache(settings: Settings, request: Request, workers: int) -> tuple[Phase, ...]:
    """The cache filled, then requests for it; each worker has blocks of its own."""
    cache = request.cache or settings.cache
    size = settings.block_bytes
    if settings.blocks < 2 * workers:
        raise ValueError(f"needs two blocks a worker, not {settings.blocks} for {workers} workers")
    if cache is CachePolicy.DIRECT and size % _BLOCK:
        raise ValueError(f"blocks of {size} bytes are no multiple of 4KiB, as direct needs it")
    population = scratch(
        request.workload,
        files=settings.blocks,
        sizes=Sizes(distribution="fixed", mean=size),
        seed=request.seed,
    )
    common: dict[str, Any] = {
        "population": population,
        "processes": workers,
        "sync": SyncPolicy(settings.sync),
        "io_size": settings.io_size,
    }
    needed = tuple(
        (-(-fewest // settings.tokens), -(-most // settings.tokens))
        for fewest, most in (CONTEXTS[kind] for kind in settings.mix)
    )
    fill = Phase(name="offload", operation=Operation.INGEST, **common)
    serve = Phase(
        name="serve",
        operation=Operation.SERVE_BLOCKS,
        cache=cache,
        serving=Serving(hits=settings.hit_ratio, requests=needed),
        runtime_ns=settings.runtime,
        shift=request.shift(request.workers(settings.workers)),
        **common,
    )
    return fill, serve


def shard_sizes(weights: int, most: int) -> list[int]:
    """The sizes of the fewest files of at most ``most`` bytes, all full but the last.

    ValueError where they are more than a plan lists.
    """
    if -(-weights // most) > _MOST_SHARDS:
        raise ValueError(
            f"a shard_size of {most} B makes more than {_MOST_SHARDS:,} files of these weights"
        )
    whole, left = divmod(weights, most)
    return [most] * whole + ([left] if left else [])


def _weights(settings: Settings, request: Request) -> Population:
    """The files of a model, cut into tensors as its layers are."""
    model = PRESETS[settings.weights][0]
    each = WEIGHT_BYTES * settings.scale
    sizes = shard_sizes(max(int(model.parameters * each), 1), settings.shard_size)
    made = dataset(
        request.workload,
        files=len(sizes),
        sizes=sizes_of_list(sizes),
        seed=request.seed,
        format="safetensors",
    )
    tensors = tuple(max(int(count * each), 1) for count in model.layer_tensors)
    made = replace(made, tensors=tensors)
    return replace(made, directory=f"data/{request.workload}-{made.digest[:12]}")


def _start(settings: Settings, request: Request, workers: int) -> tuple[Phase, ...]:
    """The weights laid out, then all read, each file by one worker."""
    population = _weights(settings, request)
    cache = request.cache or settings.cache
    if cache is CachePolicy.DIRECT:
        raise ValueError("weights are read through the page cache: use cold, warm or as-found")
    start = Phase(
        name="start",
        operation=Operation.LOAD_SHARDS,
        population=population,
        processes=min(workers, population.files),
        cache=cache,
        reader="safetensors" if settings.reader == "mmap" else "lean",
        io_size=settings.io_size,
    )
    return layout(population, start.processes), start


def _index(settings: Settings, request: Request, workers: int) -> tuple[Phase, ...]:
    """The index laid out as one file, then queries by all workers."""
    size = HEAD_BYTES + settings.reads * settings.node_bytes
    population = dataset(
        request.workload,
        files=1,
        sizes=Sizes(distribution="fixed", mean=size),
        seed=request.seed,
    )
    search = Phase(
        name="search",
        operation=Operation.SEARCH_INDEX,
        population=population,
        processes=workers,
        cache=request.cache or settings.cache,
        io_size=settings.node_bytes,
        depth=settings.beam,
        runtime_ns=settings.runtime,
        reader="lean",
        search=Search(
            nodes=settings.reads,
            node_bytes=settings.node_bytes,
            hops=-(-settings.search_list // settings.beam),
            beam=settings.beam,
        ),
    )
    return layout(population, 1), search


_PARTS = {"cache": _cache, "start": _start, "index": _index}


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The phases of the part that was asked for."""
    workers = request.workers(settings.workers)
    return _PARTS[settings.part](settings, request, workers)


KIND = Kind(
    name="serve",
    summary="an inference server: its KV cache reloaded, its weights loaded, its index searched",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("blocks", "scale", "vectors"),
)
