"""What saving and loading a checkpoint have in common: ranks, shards and their sizes."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Annotated

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes, Count
from aibench.definition.source import Strict
from aibench.errors import Refused
from aibench.formats.format import format_named
from aibench.formats.tensors import cut
from aibench.generators.common import dataset, scratch
from aibench.generators.kind import Request
from aibench.generators.models import (
    OPTIMIZER_BYTES,
    PRESETS,
    WEIGHT_BYTES,
    Layout,
    Share,
    shares,
    tensor_sizes,
)
from aibench.model import CachePolicy, Population, Sizes

#: Weights in 2 bytes and three optimizer tensors in 4 bytes: 14 bytes a parameter, as published
#: checkpoint sizes of 8 to 405 billion parameters have it.
BYTES_PER_PARAMETER = WEIGHT_BYTES + OPTIMIZER_BYTES

#: What libraries save, besides our own plain files.
KNOWN = "files, torch, torch_stream, safetensors, dcp, zarr3, ocdbt"
#: Those whose first file tells what is where, so that there is one.
TOLD = ("dcp", "ocdbt")
#: What reads a checkpoint where nothing else is said.
READERS = {
    "torch": "torch", "torch_stream": "torch", "safetensors": "safetensors", "dcp": "dcp",
    "zarr3": "tensorstore", "ocdbt": "tensorstore",
}  # fmt: skip
#: The file that tells that a checkpoint is complete, where it tells nothing else.
_MARK_BYTES = 64
#: Of zarr each tensor is a file; a plan lists so many.
_MOST_FILES = 100_000
_NOT_DIRECT = "libraries save and load through the page cache: no 'direct' for them"

_Ways = Annotated[int, Field(ge=0, le=4096, strict=True)]


class Settings(Strict):
    """The settings of a checkpoint, of a known ``model`` or of so many ``parameters``.

    Without a model, ``ranks`` have ``shards`` files each, and all files together hold
    ``parameters`` x ``bytes_per_parameter`` x ``scale``. With one, files and sizes follow from the
    model and from how it is spread (``tensor``, ``pipeline``, ``data`` parallel ranks, ``zero``;
    0 takes those of the preset). ``scale`` makes each file smaller, ``first_ranks`` keeps the sizes
    and leaves out all ranks but the first ones.

    ``format`` says how a shard lies in its file, and so in which way it is written and read:
    ``files`` in our own, the others as a library does. Tensors are those of the layers of the
    model, or of one with 8 billion parameters. ``marked``: one more file tells that the checkpoint
    is complete, which in ``dcp`` and ``ocdbt`` also tells what is where. In ``zarr3`` each tensor
    is a file, with its metadata beside it. In ``dcp`` a rank has ``thread_count`` files, whatever
    the shards, and writes each in a thread of its own, as torch's `FileSystemWriter` does.
    ``python`` is the version whose input and output libraries use.
    """

    model: str = ""
    tensor: _Ways = 0
    pipeline: _Ways = 0
    data: _Ways = 0
    zero: Annotated[int, Field(ge=0, le=3, strict=True)] = 0
    first_ranks: Annotated[int, Field(ge=0, le=1024, strict=True)] = 0
    parameters: Count = 8_030_000_000
    bytes_per_parameter: Annotated[int, Field(ge=1, le=64, strict=True)] = BYTES_PER_PARAMETER
    scale: Annotated[float, Field(gt=0, le=1000)] = 1.0
    ranks: Annotated[int, Field(ge=1, le=1024, strict=True)] = 8
    shards: Annotated[int, Field(ge=1, le=4096, strict=True)] = 2
    io_size: Bytes = 16 * 2**20
    cache: CachePolicy = CachePolicy.COLD
    format: str = "files"
    marked: bool = False
    thread_count: Annotated[int, Field(ge=1, le=64, strict=True)] = 1
    python: Annotated[str, Field(pattern=r"^3\.\d{1,2}$")] = "3.11"

    @model_validator(mode="after")
    def _has_format(self) -> "Settings":
        try:
            found = format_named(self.format)
        except Refused as error:
            raise ValueError(str(error)) from error
        if self.format != "files" and found.saving is None:
            raise ValueError(f"no checkpoint has the format {self.format!r}; known: {KNOWN}")
        if self.format != "files" and self.cache is CachePolicy.DIRECT:
            raise ValueError(_NOT_DIRECT)
        if self.format != "dcp" and self.thread_count > 1:
            raise ValueError("thread_count is how many files a rank has in format 'dcp'")
        return self

    @model_validator(mode="after")
    def _is_known(self) -> "Settings":
        if self.model and self.model not in PRESETS:
            raise ValueError(f"no model {self.model!r}; known: {', '.join(PRESETS)}")
        spread = (self.tensor, self.pipeline, self.data, self.zero, self.first_ranks)
        if not self.model and any(spread):
            raise ValueError(
                "tensor, pipeline, data, zero and first_ranks say how a model is spread: name one, "
                f"{', '.join(PRESETS)}"
            )
        self.rank_sizes()  # a layout that can't be is refused here
        return self

    def layout(self) -> Layout:
        """How the model is spread over ranks."""
        preset = PRESETS[self.model][1]
        return Layout(
            tensor=self.tensor or preset.tensor,
            pipeline=self.pipeline or preset.pipeline,
            data=self.data or preset.data,
            zero=self.zero or preset.zero,
        )

    def rank_sizes(self) -> tuple[tuple[int, ...], ...]:
        """The sizes in bytes of the files of each rank. ValueError where they are too many."""
        if self.format == "dcp":
            return tuple(_evenly(sum(rank), self.thread_count) for rank in self.shard_sizes())
        if self.format != "zarr3":
            return self.shard_sizes()
        ranks, tensors = self.shard_sizes(), self.tensors()
        if sum(map(sum, ranks)) // sum(tensors) * len(tensors) > _MOST_FILES:
            raise ValueError(
                f"of zarr3 each tensor is a file, and these are more than {_MOST_FILES:,}: leave "
                "out ranks (first_ranks), or use ocdbt"
            )
        return tuple(tuple(t for size in rank for t in cut(size, tensors)) for rank in ranks)

    def shard_sizes(self) -> tuple[tuple[int, ...], ...]:
        """The sizes in bytes of the shards of each rank."""
        if not self.model:
            total = int(self.parameters * self.bytes_per_parameter * self.scale)
            each = max(-(-total // (self.ranks * self.shards)), 1)
            return ((each,) * self.shards,) * self.ranks
        every = shares(PRESETS[self.model][0], self.layout())
        return tuple(self._scaled(share) for share in every[: self.first_ranks or None])

    def _scaled(self, share: Share) -> tuple[int, ...]:
        return tuple(max(int(size * self.scale), 1) for size in share.files)

    @property
    def has_mark(self) -> bool:
        """Whether the first file tells that the checkpoint is complete."""
        return self.marked or self.format in TOLD

    def population(self, request: Request, *, persistent: bool, checkpoints: int = 1) -> Population:
        """The files of one checkpoint, or of several, each in a directory of its own."""
        sizes = [size for rank in self.rank_sizes() for size in rank]
        if self.has_mark:
            sizes.insert(0, 0 if self.format in TOLD else _MARK_BYTES)
        if self.format == "ocdbt":
            sizes.append(0)
        make = dataset if persistent else scratch
        made = make(
            request.workload,
            files=len(sizes) * checkpoints,
            sizes=sizes_of_list(sizes * checkpoints),
            seed=request.seed,
        )
        several = self.has_mark or checkpoints > 1
        made = replace(
            made,
            format=self.format,
            tensors=self.tensors() if self.format not in ("files", "zarr3") else (),
            columns=self.row_sizes(),
            files_per_directory=len(sizes) if several else made.files_per_directory,
        )
        if persistent:
            made = replace(made, directory=f"data/{request.workload}-{made.digest[:12]}")
        if (problem := format_named(self.format).refusal(made)) is not None:
            raise ValueError(problem)
        return made

    def row_sizes(self) -> tuple[int, ...]:
        """The bytes of a row of each tensor, where some are split by columns."""
        return ()

    def tensors(self) -> tuple[int, ...]:
        """The sizes of tensors, which repeat."""
        if self.model:
            return tensor_sizes(PRESETS[self.model][0], self.layout(), self.scale)
        model, layout = PRESETS["8b"]
        scale = self.scale * layout.ranks / self.ranks
        return tensor_sizes(model, layout, scale)

    def shard_shares(self) -> tuple[int, ...]:
        """How many files each rank has, the mark with the first; nothing where all have as many."""
        counts = [len(rank) for rank in self.rank_sizes()]
        if self.has_mark:
            counts[0] += 1
        if self.format == "ocdbt":
            counts[-1] += 1
        return tuple(counts) if len(set(counts)) > 1 or self.has_mark else ()

    def request_cache(self, request: Request) -> CachePolicy:
        """The cache policy that was asked for. ValueError where a library can't have it."""
        asked = request.cache or self.cache
        if asked is CachePolicy.DIRECT and self.format != "files":
            raise ValueError(_NOT_DIRECT)
        return asked

    @property
    def files(self) -> int:
        """The number of files of one checkpoint."""
        told = self.format == "ocdbt"
        return sum(len(rank) for rank in self.rank_sizes()) + self.has_mark + told

    @property
    def writers(self) -> int:
        """How many ranks there are."""
        return len(self.rank_sizes())


def _evenly(size: int, count: int) -> tuple[int, ...]:
    """``size`` bytes in ``count`` files, of one byte at least."""
    ends = [size * k // count for k in range(count + 1)]
    return tuple(max(b - a, 1) for a, b in pairwise(ends))


def sizes_of_list(sizes: Iterable[int]) -> Sizes:
    """The distribution of sizes given one by one."""
    every = list(sizes)
    if len(set(every)) == 1:
        return Sizes(distribution="fixed", mean=every[0])
    listed = tuple((len(list(group)), size) for size, group in groupby(every))
    return Sizes(distribution="listed", mean=sum(every) // len(every), listed=listed)
