"""Loading a checkpoint: each rank reads shards that another one wrote, to the last one ready."""

from aibench.generators import checkpoint
from aibench.generators.common import dataset, layout
from aibench.generators.kind import Kind, Request
from aibench.model import Operation, Phase


class Settings(checkpoint.Settings):
    """The settings of `checkpoint_load`."""


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of one checkpoint, then a load of all of it, shifted by one rank."""
    population = dataset(
        request.workload, files=settings.files, sizes=settings.shard_sizes(), seed=request.seed
    )
    load = Phase(
        name="load",
        operation=Operation.LOAD_SHARDS,
        population=population,
        processes=settings.writers,
        shares=settings.shard_shares(),
        cache=request.cache or settings.cache,
        io_size=settings.io_size,
        shift=1,
    )
    return layout(population, settings.writers), load


KIND = Kind(
    name="checkpoint_load",
    summary="a resume: every shard read whole by another rank than wrote it",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("scale",),
)
