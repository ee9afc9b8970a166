"""Loading a data set of small files, as a data loader with worker processes does.

Samples lie in files of a format and are read as one of its readers does, in a seeded random order;
batches are dealt to the workers in turn, or whole files where the reader streams them.
"""

from dataclasses import replace
from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from aibench.errors import LibraryMissing, Refused
from aibench.formats.format import Format, format_named
from aibench.generators.common import Batch, Drawn, Threads, Workers, dataset, layout
from aibench.generators.kind import Kind, Request
from aibench.generators.rates import Rates, offered
from aibench.model import CachePolicy, Operation, Order, Phase, Population

_LARGEST_IO = 8 * 2**20
#: The tokens of a sample of text, and the bytes of a token, where nothing else is asked for.
_WINDOW, _TOKEN = 2048, "uint16"
_TOKENS = {"uint16": 2, "int32": 4}


class Data(Drawn):
    """The data that is loaded, and how: settings of all kinds of workload that load samples.

    ``format`` says how samples lie in ``files``; ``reader`` is one of the format's, its first
    where none is given.

    Where the format holds documents of tokens, ``files`` of ``samples_per_file`` documents each, a
    sample is a ``window`` of so many of them, 2048 where none is given, and one more. ``tokens``
    have the type ``uint16``, or ``int32`` for a large vocabulary.

    Sizes are ``fixed`` at ``size``, or ``lognormal`` with the mean ``size`` and the given
    ``sigma`` of the logarithm, cut at ``smallest`` and ``largest``.
    """

    least_size: ClassVar[int] = 1

    batch: Batch = 32
    order: Order = Order.SHUFFLED
    format: str = "files"
    samples_per_file: Annotated[int, Field(ge=1, le=10**9, strict=True)] = 1
    reader: str = ""
    window: Annotated[int, Field(ge=1, le=2**24, strict=True)] | None = None
    tokens: Literal["uint16", "int32"] | None = None
    python: Annotated[str, Field(pattern=r"^3\.\d{1,2}$")] = "3.11"
    cache: CachePolicy = CachePolicy.COLD

    @model_validator(mode="after")
    def _has_format(self) -> "Data":
        try:
            found = format_named(self.format)
        except Refused as error:
            raise ValueError(str(error)) from error
        if self.reader and self.reader not in found.readers:
            known = ", ".join(found.readers)
            raise ValueError(
                f"format {self.format!r} has no reader {self.reader!r}; it has {known}"
            )
        if found.windows is None and (self.window, self.tokens) != (None, None):
            raise ValueError(
                f"format {self.format!r} holds no tokens: 'window' and 'tokens' mean nothing for it"
            )
        return self


class Settings(Data):
    """The settings of a load workload; ``workers = 0`` takes two for each core, at least four.

    Epochs after the first find the caches as the one before left them. With ``rates`` there is one
    cold epoch at each of them instead, in which samples are asked for at that rate (``500op/s``,
    ``200MB/s``), whether or not the ones before have come.
    """

    workers: Workers = 0
    threads: Threads = 1
    epochs: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1
    rates: Rates = ()


def _population(settings: Data, request: Request, form: Format) -> tuple[Population, int]:
    """The data set, and the tokens of a sample of it. ValueError where its format can't have it."""
    window = (settings.window or _WINDOW) if form.windows else 0
    population = dataset(
        request.workload,
        files=settings.files,
        sizes=settings.population_sizes(),
        seed=request.seed,
        files_per_directory=settings.files_per_directory,
        format=settings.format,
        samples_per_file=settings.samples_per_file,
        token_bytes=_TOKENS[settings.tokens or _TOKEN],
    )
    if (problem := form.refusal(population)) is not None:
        missing = bool(form.library) and find_spec(form.library) is None
        raise (LibraryMissing if missing else ValueError)(problem)
    if form.windows and form.windows(population, window) == 0:
        raise ValueError(f"no file holds a window of {window} tokens; put more documents into each")
    return population, window


def reading(settings: Data, request: Request, processes: int, threads: int = 1) -> Phase:
    """The phase that reads an epoch of the data. `ValueError` where it can't be."""
    form = format_named(settings.format)
    population, window = _population(settings, request, form)
    return Phase(
        name="epoch",
        operation=Operation.READ_FILES,
        population=population,
        processes=processes,
        threads=threads,
        order=settings.order,
        cache=request.cache or settings.cache,
        reader=settings.reader or next(iter(form.readers)),
        python=settings.python,
        window=window,
        io_size=_io_size(population),
        batch=settings.batch,
    )


def phases(settings: Settings, request: Request) -> tuple[Phase, ...]:
    """The layout of the data set, then its epochs; only the first one finds the caches as asked."""
    workers = request.workers(settings.workers)
    first = reading(settings, request, workers, settings.threads)
    later = (
        replace(first, name=f"epoch-{number + 1}", epoch=number, cache=_later(first.cache))
        for number in range(1, settings.epochs)
    )
    paced = (
        replace(first, name=f"rate-{number + 1}", rate=offered(text, first.sample_bytes))
        for number, text in enumerate(settings.rates)
    )
    return layout(first.population, workers), *(paced if settings.rates else (first, *later))


def _io_size(population: Population) -> int:
    """A sample at once, up to 8 MiB; 1 MiB where a format decides by itself."""
    if population.format != "files":
        return 2**20
    sizes = population.sizes
    largest = sizes.mean if sizes.distribution == "fixed" else sizes.largest
    return min(-(-largest // 4096) * 4096, _LARGEST_IO)


def _later(policy: CachePolicy) -> CachePolicy:
    """What holds for epochs after the first: nobody empties a cache between epochs."""
    return policy if policy is CachePolicy.DIRECT else CachePolicy.AS_FOUND


KIND = Kind(
    name="load",
    summary="a data loader: small files read whole in random order by worker processes",
    engine="posix",
    settings=Settings,
    phases=phases,
    scaled=("files",),
)
