"""Loading a checkpoint: each rank reads shards that another one wrote, to the last one ready."""

from itertools import accumulate
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aibench.formats.format import format_named
from aibench.generators import checkpoint
from aibench.generators.common import layout
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Phase

_ONLY_OWN = "cache policy direct is for ranks that read what another one saved, and no more"


class Settings(checkpoint.Settings):
    """The settings of `checkpoint_load`.

    ``loaders`` ranks load it, as many as saved it where that is 0, else each all shards of those
    ranks whose part of the model overlaps its own. ``who``: each its ``own``, moved by ``shift``
    ranks; or ``all`` everything; or the ``first`` one everything, as if to pass it on. ``reader``
    is one of the format's. ``weights_only`` leaves out the optimizer of a known model.
    """

    loaders: Annotated[int, Field(ge=0, le=1024, strict=True)] = 0
    who: Literal["own", "all", "first"] = "own"
    shift: Annotated[int, Field(ge=0, le=1024, strict=True)] = 1
    reader: str = ""
    weights_only: bool = False

    @model_validator(mode="after")
    def _is_readable(self) -> "Settings":
        known = format_named(self.format).readers
        if self.reader and self.reader not in known:
            raise ValueError(
                f"format {self.format!r} has no reader {self.reader!r}; it has {', '.join(known)}"
            )
        if self.weights_only and not self.model:
            raise ValueError("only of a known model it is known which files hold weights")
        if self.cache is CachePolicy.DIRECT and self.moves:
            raise ValueError(_ONLY_OWN)
        return self

    @property
    def moves(self) -> bool:
        """Whether ranks load something else than another one saved."""
        return self.who != "own" or bool(self.loaders)

    def rank_sizes(self) -> tuple[tuple[int, ...], ...]:
        """The sizes in bytes of the files of each rank."""
        every = super().rank_sizes()
        return tuple(rank[:-1] for rank in every if rank[:-1]) if self.weights_only else every

    def reads(self) -> tuple[tuple[int, int], ...]:
        """The files that each rank loads, where it is not the share of another one."""
        if not self.moves:
            return ()
        counts = [len(rank) for rank in self.rank_sizes()]
        starts = list(accumulate(counts, initial=int(self.has_mark)))
        ranks, loaders = len(counts), self.loaders or len(counts)
        if self.who != "own":
            readers = loaders if self.who == "all" else 1
            return ((starts[0], starts[-1]),) * readers + ((0, 0),) * (loaders - readers)
        return tuple(
            (starts[rank * ranks // loaders], starts[-(-(rank + 1) * ranks // loaders)])
            for rank in range(loaders)
        )


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of one checkpoint, then a load of all of it, shifted by one rank."""
    population = settings.population(request, persistent=True)
    reads, cache = settings.reads(), settings.request_cache(request)
    if reads and cache is CachePolicy.DIRECT:
        raise ValueError(_ONLY_OWN)
    load = Phase(
        name="load",
        operation=Operation.LOAD_SHARDS,
        population=population,
        processes=len(reads) or settings.writers,
        shares=() if reads else settings.shard_shares(),
        cache=cache,
        io_size=settings.io_size,
        reader=settings.reader or _READERS.get(settings.format, "stat"),
        python=settings.python,
        shift=0 if reads else settings.shift,
        marked=settings.has_mark,
        reads=reads,
    )
    return layout(population, settings.writers), load


#: What reads a checkpoint where nothing else is said.
_READERS = {
    "torch": "torch", "torch_stream": "torch", "safetensors": "safetensors", "dcp": "dcp",
}  # fmt: skip
KIND = Kind(
    name="checkpoint_load",
    summary="a resume: every shard read whole by another rank than wrote it",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("scale",),
)
