"""Saving a checkpoint: each rank writes its shards, syncs and renames them."""

from aibench.definition.fields import Bytes
from aibench.generators import checkpoint
from aibench.generators.common import scratch
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy


class Settings(checkpoint.Settings):
    """The settings of `checkpoint_save`; ``sync`` says when the data has to be durable."""

    sync: SyncPolicy = SyncPolicy.COMMIT
    io_size: Bytes = 16 * 2**20
    cache: CachePolicy = CachePolicy.AS_FOUND


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """One save; the runner removes the checkpoint before the next one."""
    population = scratch(
        request.workload, files=settings.files, sizes=settings.shard_sizes(), seed=request.seed
    )
    cache = request.cache or settings.cache
    save = Phase(
        name="save",
        operation=Operation.SAVE_SHARDS,
        population=population,
        processes=settings.writers,
        shares=settings.shard_shares(),
        sync=settings.sync,
        io_size=settings.io_size,
        cache=cache if cache is CachePolicy.DIRECT else CachePolicy.AS_FOUND,
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
