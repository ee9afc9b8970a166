"""Namespace operations: what opening, listing and cleaning up millions of files costs."""

from pydantic import model_validator

from aibench.definition.fields import Count
from aibench.definition.source import Strict
from aibench.generators.common import Workers, scratch
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Phase, Sizes

_STEPS = (
    ("create", Operation.CREATE),
    ("stat", Operation.STAT),
    ("open-close", Operation.OPEN_CLOSE),
    ("list", Operation.LIST),
    ("rename", Operation.RENAME),
    ("delete", Operation.DELETE),
)


class Settings(Strict):
    """The settings of a metadata workload: empty ``files`` in ``directories``."""

    files: Count = 100_000
    directories: Count = 100
    workers: Workers = 0
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _is_possible(self) -> "Settings":
        if self.directories > self.files:
            raise ValueError(
                f"needs at least one file a directory, not {self.files} files in "
                f"{self.directories} directories"
            )
        if self.cache is CachePolicy.DIRECT:
            raise ValueError("cache policy direct means nothing for names; use cold or as-found")
        return self


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """Create, stat, open and close, list, rename, delete; readers are not who created."""
    workers = request.workers(settings.workers)
    each = -(-settings.files // settings.directories)
    population = scratch(
        request.workload,
        files=settings.files,
        sizes=Sizes(distribution="fixed", mean=0, smallest=0),
        seed=request.seed,
        each=each,
    )
    wanted = request.cache or settings.cache
    looks = (Operation.STAT, Operation.OPEN_CLOSE, Operation.LIST)
    return tuple(
        Phase(
            name=name,
            operation=operation,
            population=population,
            processes=workers,
            cache=wanted if operation in looks else CachePolicy.AS_FOUND,
            shift=0 if operation is Operation.CREATE else request.shift(workers),
        )
        for name, operation in _STEPS
    )


KIND = Kind(
    name="metadata",
    summary="create, stat, open, list, rename and delete many files in many directories",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
)
