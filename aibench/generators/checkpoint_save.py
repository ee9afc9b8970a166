"""Saving checkpoints: each rank writes its shards, syncs and renames them, or as a library does."""

from typing import Annotated

from pydantic import Field, model_validator

from aibench.definition.fields import Bytes
from aibench.generators import checkpoint
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy
from aibench.workers.loops.state import HELD_BYTES


class Settings(checkpoint.Settings):
    """The settings of `checkpoint_save`; ``sync`` says when the data has to be durable.

    In our own way that is at a ``commit`` unless asked otherwise. A library syncs what it syncs
    (``end``; what it leaves we sync afterwards, and say when it is durable), or nothing (``none``).
    One repeat saves ``checkpoints`` one after the other, of which the last ``keep`` stay (0: all).
    With ``snapshot`` a rank copies its state first, after which its trainer would go on.
    """

    sync: SyncPolicy | None = None
    io_size: Bytes = 16 * 2**20
    cache: CachePolicy = CachePolicy.AS_FOUND
    checkpoints: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    keep: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    snapshot: bool = False

    @model_validator(mode="after")
    def _is_possible(self) -> "Settings":
        if self.format != "files" and self.sync is SyncPolicy.COMMIT:
            raise ValueError("a library renames what it renames: sync is 'end' or 'none'")
        if self.keep and not self.has_mark:
            raise ValueError("only complete checkpoints are kept or let go: set marked = true")
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
    save = Phase(
        name="save",
        operation=Operation.SAVE_SHARDS,
        population=settings.population(request, persistent=False, checkpoints=settings.checkpoints),
        processes=settings.writers,
        shares=settings.shard_shares(),
        sync=settings.sync or sync,
        io_size=settings.io_size,
        cache=cache if cache is CachePolicy.DIRECT else CachePolicy.AS_FOUND,
        python=settings.python,
        checkpoints=settings.checkpoints,
        keep=settings.keep,
        marked=settings.has_mark,
        snapshot=settings.snapshot,
    )
    return (save,)


KIND = Kind(
    name="checkpoint_save",
    summary="a checkpoint: shards of all ranks written, synced and renamed",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("scale",),
)
