"""Loading a checkpoint: each rank reads shards that others wrote, and then its first batch."""

from itertools import accumulate
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aibench.formats.format import format_named
from aibench.generators import checkpoint, resuming
from aibench.generators.common import layout
from aibench.generators.kind import Kind, Request
from aibench.generators.load import Data
from aibench.generators.models import PRESETS, Layout
from aibench.model import CachePolicy, Operation, Phase, Resume, Slice

_ONLY_OWN = "cache policy direct is for ranks that read what another one saved, and no more"
_OTHER_LAYOUT = ("new_tensor", "new_pipeline", "new_data")


class Settings(checkpoint.Settings):
    """The settings of `checkpoint_load`.

    As many ranks load it as saved it, or another number of them. ``loaders`` ranks need the same
    part each of every tensor. A known model is spread over ``new_tensor``, ``new_pipeline`` and
    ``new_data`` parallel ranks (0: as many as saved it), and each needs its layers, its part of
    their tensors, and of the optimizer. What of the files a rank reads for that is its library's
    way: the bytes, the tensors, or the files in which they are; the report tells how much more than
    needed.

    ``who``: each its ``own``, moved by ``shift`` ranks, so that each loads what another host saved;
    or ``all`` everything; or the ``first`` one everything, while the others wait for it. What it
    would send them is not sent. ``reader`` is one of the format's. ``weights_only`` leaves out the
    optimizer of a known model.

    With a ``dataset`` (settings as those of kind `load`) each rank then learns what that holds, by
    ``indexing``: it lists the directories, asks for each file besides (``stat``), or reads the
    index beside each file (``read``); and reads one batch of samples. The time to that is from
    start to the first training step, as far as storage is asked.
    """

    loaders: Annotated[int, Field(ge=0, le=1024, strict=True)] = 0
    new_tensor: Annotated[int, Field(ge=0, le=1024, strict=True)] = 0
    new_pipeline: Annotated[int, Field(ge=0, le=1024, strict=True)] = 0
    new_data: Annotated[int, Field(ge=0, le=1024, strict=True)] = 0
    who: Literal["own", "all", "first"] = "own"
    shift: Annotated[int, Field(ge=0, le=1024, strict=True)] = 1
    reader: str = ""
    weights_only: bool = False
    dataset: Data | None = None
    indexing: Literal["list", "stat", "read"] = "list"

    @model_validator(mode="after")
    def _is_readable(self) -> "Settings":
        known = format_named(self.format).readers
        if self.reader and self.reader not in known:
            raise ValueError(
                f"format {self.format!r} has no reader {self.reader!r}; it has {', '.join(known)}"
            )
        if self.weights_only and not self.model:
            raise ValueError("only of a known model it is known which files hold weights")
        if self.cache is CachePolicy.DIRECT and self.more:
            raise ValueError(_ONLY_OWN)
        if self.dataset is not None:
            resuming.refuse_dataset(self.dataset, self.indexing)
        elif "indexing" in self.model_fields_set:
            raise ValueError("indexing says how a dataset is learned of: there is none")
        self._refuse_layout()
        return self

    def _refuse_layout(self) -> None:
        if self.loaders and self.model:
            raise ValueError(
                f"loaders are ranks of no known model; this one is spread by {_OTHER_LAYOUT}"
            )
        if not self.reshards:
            return
        if not self.model and any(getattr(self, name) for name in _OTHER_LAYOUT):
            raise ValueError(f"{', '.join(_OTHER_LAYOUT)} say how a model is spread anew: name one")
        if self.model and (self.first_ranks or self.who != "own"):
            raise ValueError(
                "what other ranks need of a model is told of whole ones that each read their own: "
                "no first_ranks, and who = 'own'"
            )
        if self.format in ("zarr3", "ocdbt"):
            raise ValueError(
                f"format {self.format!r} is loaded by as many ranks as saved it; others are of "
                "dcp, safetensors, torch or files"
            )
        if self.model:
            self.new_layout()  # one that can't be is refused here

    @property
    def reshards(self) -> bool:
        """Whether other ranks load it than saved it, each its own part."""
        other = any(getattr(self, name) for name in _OTHER_LAYOUT)
        return other or (bool(self.loaders) and self.who == "own")

    @property
    def more(self) -> bool:
        """Whether ranks load something else than another one saved."""
        return self.who != "own" or self.reshards or self.dataset is not None

    def new_layout(self) -> Layout:
        """How the model is spread over those that load it."""
        old = self.layout()
        return Layout(
            tensor=self.new_tensor or old.tensor,
            pipeline=self.new_pipeline or old.pipeline,
            data=self.new_data or old.data,
            zero=old.zero,
        )

    def shard_sizes(self) -> tuple[tuple[int, ...], ...]:
        """The sizes in bytes of the shards of each rank."""
        every = super().shard_sizes()
        return tuple(rank[:-1] for rank in every if rank[:-1]) if self.weights_only else every

    def row_sizes(self) -> tuple[int, ...]:
        """The bytes of a row of each tensor; nothing where none is split by columns."""
        if not self.reshards or not self.model or self.format == "files":
            return ()
        return resuming.columns(PRESETS[self.model][0], self.layout(), self.scale)

    def reads(self) -> tuple[tuple[int, int], ...]:
        """The files that each rank loads, where it is everything or nothing."""
        if self.who == "own":
            return ()
        counts = [len(rank) for rank in self.rank_sizes()]
        starts = list(accumulate(counts, initial=int(self.has_mark)))
        loaders = self.loaders or len(counts)
        readers = loaders if self.who == "all" else 1
        return ((starts[0], starts[-1]),) * readers + ((0, 0),) * (loaders - readers)

    def slices(self) -> tuple[tuple[Slice, ...], ...]:
        """What each rank needs, where others load than saved."""
        if not self.reshards:
            return ()
        sizes, shards, first = self.rank_sizes(), self.shard_sizes(), int(self.has_mark)
        if self.model:
            return resuming.of_model(
                PRESETS[self.model][0], self.layout(), self.new_layout(), shards, sizes, first,
                weights_only=self.weights_only,
            )  # fmt: skip
        return resuming.of_parts(sizes, self.loaders, first)


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of one checkpoint, and of samples, then a load of what each rank needs."""
    population = settings.population(request, persistent=True)
    reads, slices, cache = settings.reads(), settings.slices(), settings.request_cache(request)
    if settings.more and cache is CachePolicy.DIRECT:
        raise ValueError(_ONLY_OWN)
    processes = len(reads) or len(slices) or settings.writers
    samples = resuming.dataset_of(settings.dataset, settings.indexing, request, processes)
    resume = Resume(
        slices=slices,
        needed_bytes=resuming.needed(population, slices),
        passes_on=settings.who == "first",
        dataset=samples,
    )
    load = Phase(
        name="load",
        operation=Operation.LOAD_SHARDS,
        population=population,
        processes=processes,
        shares=() if reads or slices else settings.shard_shares(),
        cache=cache,
        io_size=settings.io_size,
        reader=settings.reader or checkpoint.READERS.get(settings.format, "stat"),
        python=settings.python,
        shift=0 if reads or slices else request.shift(processes, settings.shift),
        marked=settings.has_mark,
        reads=reads,
        resume=resume if settings.more else None,
    )
    writers = layout(population, settings.writers)
    if samples is None:
        return writers, load
    return writers, layout(samples.population, settings.writers), load


KIND = Kind(
    name="checkpoint_load",
    summary="a resume: every shard read whole by another rank than wrote it",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("scale",),
)
