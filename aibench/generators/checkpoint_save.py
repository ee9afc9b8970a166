"""Saving checkpoints: each rank writes its shards, syncs and renames them, or as a library does."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes
from aibench.generators import checkpoint
from aibench.generators.checkpoint import READERS
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy
from aibench.workers.loops.state import HELD_BYTES

#: What refers to unchanged data in ways of its own.
_NOT_LINKED = ("zarr3", "ocdbt")


class Settings(checkpoint.Settings):
    """The settings of `checkpoint_save`; ``sync`` says when the data has to be durable.

    In our own way that is at a ``commit`` unless asked otherwise. A library syncs what it syncs
    (``end``; what it leaves we sync afterwards, and say when it is durable), or nothing (``none``).
    One repeat saves ``checkpoints`` one after the other, of which the last ``keep`` stay (0: all).
    With ``snapshot`` a rank copies its state first, after which its trainer would go on.

    Of each checkpoint but the first the share ``changed`` of the files of a rank is written, other
    ones each time. The others are hard links to those of the checkpoint before, as RocksDB makes
    its checkpoints of files that did not change: a link is durable with its directory.
    ``read_back``: then all of them are read by other ranks, once the client's cache is empty.
    """

    sync: SyncPolicy | None = None
    io_size: Bytes = 16 * 2**20
    cache: CachePolicy = CachePolicy.AS_FOUND
    checkpoints: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    keep: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    snapshot: bool = False
    changed: Annotated[float, Field(ge=0, le=1)] = 1.0
    read_back: bool = False

    @model_validator(mode="after")
    def _is_possible(self) -> "Settings":
        if self.format != "files" and self.sync is SyncPolicy.COMMIT:
            raise ValueError("a library renames what it renames: sync is 'end' or 'none'")
        if self.keep and not self.has_mark:
            raise ValueError("only complete checkpoints are kept or let go: set marked = true")
        if self.changed < 1 and (self.checkpoints == 1 or self.format in _NOT_LINKED):
            raise ValueError(
                "a share of the files changes from one checkpoint to the next: set checkpoints = 2 "
                f"or more, and a format other than {' and '.join(_NOT_LINKED)}"
            )
        if self.read_back and (self.keep or self.changed < 1):
            raise ValueError(
                "read_back reads every checkpoint, and each of its bytes once: no keep, no changed"
            )
        largest = max(sum(rank) for rank in self.rank_sizes())
        if self.snapshot and 2 * largest > HELD_BYTES:
            raise ValueError(
                f"a snapshot copies what a rank holds, {largest} B of at most {HELD_BYTES // 2} B: "
                "make it smaller (scale)"
            )
        return self

    @property
    def has_mark(self) -> bool:
        """Of several checkpoints it has to be known which are complete."""
        return super().has_mark or self.checkpoints > 1


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """One save of one or more; the runner removes the checkpoints before the next one."""
    cache = settings.request_cache(request)
    sync = SyncPolicy.COMMIT if settings.format == "files" else SyncPolicy.END
    threads = settings.thread_count
    save = Phase(
        name="save",
        operation=Operation.SAVE_SHARDS,
        population=settings.population(request, persistent=False, checkpoints=settings.checkpoints),
        processes=settings.writers,
        threads=threads,
        shares=settings.shard_shares() if threads == 1 else _one_each(settings),
        sync=settings.sync or sync,
        io_size=settings.io_size,
        cache=cache if cache is CachePolicy.DIRECT else CachePolicy.AS_FOUND,
        python=settings.python,
        checkpoints=settings.checkpoints,
        keep=settings.keep,
        changed=settings.changed,
        marked=settings.has_mark,
        snapshot=settings.snapshot,
    )
    return (save, _read_back(save, settings, request)) if settings.read_back else (save,)


def _one_each(settings: Settings) -> tuple[int, ...]:
    """A file for each thread, and to the first one that which tells what is where."""
    return (2, *[1] * (settings.writers * settings.thread_count - 1))


def _read_back(save: Phase, settings: Settings, request: Request) -> Phase:
    """Other ranks read what was saved, where it is now: on storage, and not in the cache."""
    direct = save.cache is CachePolicy.DIRECT
    return replace(
        save,
        name="load",
        operation=Operation.LOAD_SHARDS,
        threads=1,
        shares=settings.shard_shares(),
        sync=SyncPolicy.NONE,
        cache=save.cache if direct else request.cache or CachePolicy.COLD,
        reader=READERS.get(settings.format, "stat"),
        snapshot=False,
        shift=request.shift(settings.writers),
    )


KIND = Kind(
    name="checkpoint_save",
    summary="a checkpoint: shards of all ranks written, synced and renamed",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("scale",),
)
