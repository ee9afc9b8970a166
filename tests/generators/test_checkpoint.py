"""The checkpoint kinds: shards by the size of the model, saved, and read by other ranks."""

from typing import Any

import numpy as np
import pytest

from aibench.definition.source import parse
from aibench.errors import DefinitionError
from aibench.formats.files import sizes_of, total_bytes
from aibench.generators import checkpoint_load, checkpoint_save
from aibench.generators.checkpoint import BYTES_PER_PARAMETER
from aibench.generators.kind import Kind, Request
from aibench.model import CachePolicy, Operation, Phase, SyncPolicy

KINDS = pytest.mark.parametrize("kind", [checkpoint_save.KIND, checkpoint_load.KIND],
                                ids=lambda kind: kind.name)  # fmt: skip


def phases(kind: Kind, settings: dict[str, Any] | None = None, **changes: Any) -> tuple[Phase, ...]:
    """The phases of ``settings`` for a workload named llm on four cores."""
    parts: dict[str, Any] = {"workload": "llm", "seed": 3, "cpus": 4}
    checked = parse(kind.settings, settings or {}, "checkpoint.toml")
    return kind.phases(checked, Request(**parts | changes))


@KINDS
@pytest.mark.parametrize(
    ("settings", "total"),
    [
        ({}, 8_030_000_000 * 14),
        ({"parameters": 70_000_000_000}, 980_000_000_000),
        ({"scale": 0.5, "parameters": 1000, "ranks": 1, "shards": 1}, 7000),
        ({"bytes_per_parameter": 2, "parameters": 8_000_000_000}, 16_000_000_000),
    ],
)
def test_sizes_follow_from_the_model(kind: Kind, settings: dict[str, Any], total: int) -> None:
    """A checkpoint has 14 bytes a parameter times the scale, in equal shards, rounded up."""
    population = phases(kind, settings)[-1].population
    assert BYTES_PER_PARAMETER == 14
    assert total <= total_bytes(population) < total + population.files


@KINDS
def test_each_rank_has_its_shards(kind: Kind) -> None:
    """There is one process a rank, and as many files a rank as asked for."""
    phase = phases(kind, {"ranks": 16, "shards": 3})[-1]
    assert (phase.processes, phase.population.files) == (16, 48)


@KINDS
def test_a_tiny_model_still_has_a_byte_a_shard(kind: Kind) -> None:
    """No shard is ever empty."""
    phase = phases(kind, {"parameters": 1, "ranks": 8, "scale": 0.01})[-1]
    assert phase.population.sizes.mean == 1


def test_a_save_commits() -> None:
    """A checkpoint is scratch, written by the page cache and committed unless asked otherwise."""
    (save,) = phases(checkpoint_save.KIND)
    assert (save.name, save.operation, save.sync) == (
        "save", Operation.SAVE_SHARDS, SyncPolicy.COMMIT,
    )  # fmt: skip
    assert save.cache is CachePolicy.AS_FOUND
    assert (save.population.persistent, save.population.directory) == (False, "scratch/llm")
    assert phases(checkpoint_save.KIND, {"sync": "end"})[0].sync is SyncPolicy.END


def test_of_the_cache_policies_only_direct_means_anything_for_a_save() -> None:
    """A save knows O_DIRECT or the page cache; what is cached before doesn't matter to it."""
    for policy in CachePolicy:
        (save,) = phases(checkpoint_save.KIND, cache=policy)
        wanted = CachePolicy.DIRECT if policy is CachePolicy.DIRECT else CachePolicy.AS_FOUND
        assert save.cache is wanted


def test_a_load_reads_what_others_wrote() -> None:
    """A resume lays a checkpoint out, then reads all of it, each rank the shards of the next."""
    layout, load = phases(checkpoint_load.KIND)
    assert (layout.operation, layout.measured) == (Operation.WRITE_FILES, False)
    assert (load.operation, load.shift, load.cache) == (
        Operation.LOAD_SHARDS, 1, CachePolicy.COLD,
    )  # fmt: skip
    assert layout.population == load.population
    assert layout.processes == load.processes  # so that a shift of one is another worker
    assert load.population.persistent


@KINDS
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ranks": 0}, "ranks: has to be greater than or equal to 1"),
        ({"scale": 0}, "scale: has to be greater than 0"),
        ({"parameters": "8B"}, "parameters: has to be a valid integer"),
        ({"shards": 5000}, "shards: has to be less than or equal to 4096"),
        ({"rank": 2}, "unknown key; known: bytes_per_parameter, cache"),
    ],
)
def test_mistakes_say_what_would_be_right(kind: Kind, settings: dict[str, Any], words: str) -> None:
    """Impossible settings are refused with what would be right."""
    with pytest.raises(DefinitionError) as wrong:
        phases(kind, settings)
    assert words in str(wrong.value)


@KINDS
def test_no_i_o_at_all_is_refused(kind: Kind) -> None:
    """An I/O size of nothing is impossible."""
    with pytest.raises(ValueError, match="io_size must be at least 1"):
        phases(kind, {"io_size": "0B"})


@KINDS
def test_what_scale_multiplies(kind: Kind) -> None:
    """--scale multiplies the scale of the model, and phases are pure."""
    assert kind.scaled == ("scale",)
    assert phases(kind) == phases(kind)


def test_a_known_model_has_its_files() -> None:
    """Files and sizes of each rank are those of the model, scaled; shares differ where ranks do."""
    asked = {"model": "405b", "first_ranks": 264, "scale": 0.001}
    (save,) = phases(checkpoint_save.KIND, asked)
    sizes = sizes_of(save.population, np.arange(save.population.files, dtype=np.int64)).tolist()
    assert save.processes == len(save.shares) == 264
    assert save.shares[0] == 1 + 3 + 1  # embedding, layers, optimizer
    assert save.shares[263] == 1  # of the second data parallel replica: its optimizer only
    assert sum(save.shares) == len(sizes)
    assert sum(sizes) == total_bytes(save.population)
    assert sizes[1] == sizes[2] == sizes[3] < sizes[4] == sizes[-1]  # layers, then optimizers


def test_ranks_of_one_size_have_no_shares() -> None:
    """With ZeRO stage 3 all ranks have as many files; weights and optimizer differ in size."""
    (save,) = phases(checkpoint_save.KIND, {"model": "8b", "scale": 1e-4})
    assert (save.processes, save.population.files, save.shares) == (8, 16, ())
    assert len(save.population.sizes.listed) == 16


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "9b"}, "no model '9b'; known: 8b, 70b, 405b, 1t"),
        ({"tensor": 2}, "say how a model is spread"),
        ({"model": "8b", "zero": 2}, "ZeRO stage 1 or 3"),
        ({"model": "8b", "pipeline": 2}, "not combined with pipeline"),
    ],
)
def test_impossible_models_are_refused(settings: dict[str, Any], words: str) -> None:
    """A model that nobody knows, and ways to spread one that are not done."""
    with pytest.raises(DefinitionError, match=words):
        phases(checkpoint_save.KIND, settings)


LIBRARIES = pytest.mark.parametrize("form", ["torch", "torch_stream", "safetensors", "dcp"])


@LIBRARIES
@pytest.mark.parametrize("model", [{}, {"model": "8b"}], ids=["parameters", "8b"])
def test_a_library_has_its_way(form: str, model: dict[str, Any]) -> None:
    """Shards are cut into the tensors of the layers; files are synced at their end, or not."""
    asked = {"format": form, "scale": 1e-4} | model
    (save,) = phases(checkpoint_save.KIND, asked)
    layout, load = phases(checkpoint_load.KIND, asked)
    assert (save.sync, save.population.format) == (SyncPolicy.END, form)
    assert len(save.population.tensors) == 9
    assert load.reader in ("torch", "safetensors", "dcp")
    assert layout.population == load.population
    assert load.population.sizes == save.population.sizes
    assert (save.marked, save.population.files) == (form == "dcp", 9 if form == "dcp" else 16)
    assert phases(checkpoint_save.KIND, asked | {"sync": "none"})[0].sync is SyncPolicy.NONE


def test_tensors_are_scaled_as_shards_are() -> None:
    """A smaller shard has as many tensors, smaller ones; a rank of more has smaller ones too."""
    whole, half, ranks = (
        phases(checkpoint_save.KIND, {"format": "torch"} | more)[0].population
        for more in ({"scale": 1.0}, {"scale": 0.5}, {"scale": 1.0, "ranks": 16})
    )
    assert [size // 2 for size in whole.tensors] == list(half.tensors) == list(ranks.tensors)
    assert whole.tensors[1] == 4096 * 4096 * 2 // 8


def test_a_thread_has_a_file_of_its_own() -> None:
    """In a distributed checkpoint a rank has one file, or as many as threads write it."""
    asked = {"format": "dcp", "ranks": 2, "shards": 5, "scale": 1e-4}
    (one,) = phases(checkpoint_save.KIND, asked)
    (four,) = phases(checkpoint_save.KIND, asked | {"thread_count": 4})
    assert (one.slots, one.shares, one.population.files) == (2, (2, 1), 3)
    assert (four.processes, four.threads, four.shares) == (2, 4, (2, 1, 1, 1, 1, 1, 1, 1))
    assert total_bytes(four.population) > 0
    sizes = [sum(n * size for n, size in phase.population.sizes.listed) for phase in (one, four)]
    assert sizes[0] == sizes[1]
    _, load = phases(checkpoint_load.KIND, asked | {"thread_count": 4})
    assert (load.processes, load.shares) == (2, (5, 4))


def test_what_was_saved_is_read_back() -> None:
    """Ten are written, ten are read, by other ranks and out of an empty cache."""
    asked = {"checkpoints": 10, "read_back": True, "ranks": 2, "scale": 1e-5}
    save, load = phases(checkpoint_save.KIND, asked)
    assert (load.operation, load.cache, load.shift) == (Operation.LOAD_SHARDS, CachePolicy.COLD, 1)
    assert (load.population, load.checkpoints, load.shares) == (save.population, 10, save.shares)
    assert not load.population.persistent
    direct = phases(checkpoint_save.KIND, asked | {"cache": "direct"})
    assert [phase.cache for phase in direct] == [CachePolicy.DIRECT] * 2
    four = phases(checkpoint_save.KIND, asked | {"format": "dcp", "thread_count": 4})
    assert [phase.slots for phase in four] == [8, 2]


def test_several_checkpoints_are_marked() -> None:
    """Each has a directory and a file more, with the first rank; the last ones stay."""
    asked = {"ranks": 4, "shards": 3, "checkpoints": 5, "keep": 2, "scale": 1e-4}
    (save,) = phases(checkpoint_save.KIND, asked)
    assert (save.checkpoints, save.keep, save.marked) == (5, 2, True)
    assert (save.population.files, save.population.files_per_directory) == (65, 13)
    assert save.shares == (4, 3, 3, 3)
    assert save.population.sizes.listed[0] == (1, 64)


@pytest.mark.parametrize(
    ("settings", "reads"),
    [
        ({}, ()),
        ({"who": "all"}, ((0, 8),) * 4),
        ({"who": "first"}, ((0, 8), (0, 0), (0, 0), (0, 0))),
        ({"who": "all", "loaders": 2}, ((0, 8),) * 2),
    ],
)
def test_who_loads_what(settings: dict[str, Any], reads: tuple[tuple[int, int], ...]) -> None:
    """Each its own, everybody everything, or one for all, while the others wait."""
    asked = {"ranks": 4, "shards": 2, "scale": 1e-4} | settings
    _, load = phases(checkpoint_load.KIND, asked)
    assert load.reads == reads
    assert load.processes == (len(reads) or 4)
    assert (load.resume is not None and load.resume.passes_on) == (settings.get("who") == "first")


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        ({"loaders": 2}, ((0, 4), (4, 8))),
        ({"loaders": 3}, ((0, 4), (2, 6), (4, 8))),  # the part of one lies in those of two
        ({"loaders": 8}, ((0, 2), (0, 2), (2, 4), (2, 4), (4, 6), (4, 6), (6, 8), (6, 8))),
        ({"loaders": 2, "marked": True}, ((1, 5), (5, 9))),
    ],
)
def test_other_ranks_need_slices(
    settings: dict[str, Any], files: tuple[tuple[int, int], ...]
) -> None:
    """Ranks that are more or fewer need other parts of every tensor: all together, everything."""
    asked = {"ranks": 4, "shards": 2, "scale": 1e-4} | settings
    _, load = phases(checkpoint_load.KIND, asked)
    assert load.resume is not None
    assert load.resume.needed_bytes == pytest.approx(8_030_000_000 * 14e-4, rel=1e-6)
    assert (load.processes, load.reads, load.shift) == (len(files), (), 0)
    found = [sorted({part.file for part in rank}) for rank in load.resume.slices]
    assert found == [list(range(*ends)) for ends in files]
    if settings["loaders"] == 3:
        assert [(p.first, p.last, p.parts) for p in load.resume.slices[1]] == [
            (1, 3, 3), (1, 3, 3), (0, 2, 3), (0, 2, 3),
        ]  # fmt: skip


def test_only_weights_are_loaded() -> None:
    """For a known model the optimizer's files are left out, and ranks without others."""
    _, load = phases(checkpoint_load.KIND, {"model": "8b", "scale": 1e-4, "weights_only": True})
    assert load.population.files == 8
    asked = {"model": "405b", "scale": 1e-5, "weights_only": True, "first_ranks": 264}
    assert phases(checkpoint_load.KIND, asked)[1].processes == 256


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (checkpoint_save, {"format": "npz"}, "no checkpoint has the format 'npz'; known: files"),
        (checkpoint_save, {"format": "pt"}, "no data format 'pt'"),
        (checkpoint_save, {"format": "torch", "sync": "commit"}, "sync is 'end' or 'none'"),
        (checkpoint_save, {"format": "torch", "cache": "direct"}, "no 'direct' for them"),
        (checkpoint_save, {"keep": 2}, "set marked = true"),
        (checkpoint_save, {"snapshot": True}, "a snapshot copies what a rank holds"),
        (checkpoint_save, {"thread_count": 2}, "in format 'dcp'"),
        (checkpoint_save, {"changed": 0.5}, "set checkpoints = 2 or more"),
        (
            checkpoint_save,
            {"changed": 0.5, "checkpoints": 3, "format": "ocdbt"},
            "other than zarr3",
        ),
        (checkpoint_save, {"checkpoints": 3, "keep": 1, "read_back": True}, "no keep, no changed"),
        (checkpoint_load, {"format": "torch", "reader": "dcp"}, "it has torch, torch_mmap"),
        (checkpoint_load, {"weights_only": True}, "only of a known model"),
        (checkpoint_load, {"who": "all", "cache": "direct"}, "direct is for ranks"),
        (checkpoint_load, {"model": "8b", "loaders": 2}, "loaders are ranks of no known model"),
        (checkpoint_load, {"new_data": 2}, "say how a model is spread anew"),
        (checkpoint_load, {"model": "8b", "new_pipeline": 2}, "not combined with pipeline"),
        (checkpoint_load, {"model": "70b", "new_data": 2, "first_ranks": 8}, "no first_ranks"),
        (checkpoint_load, {"format": "ocdbt", "loaders": 2}, "by as many ranks as saved it"),
        (checkpoint_load, {"indexing": "stat"}, "there is none"),
        (checkpoint_load, {"dataset": {"cache": "warm"}}, "it is that of the checkpoint"),
        (checkpoint_load, {"dataset": {}, "indexing": "read"}, "has no index beside its files"),
        (checkpoint_load, {"dataset": {"format": "pt"}}, "no data format 'pt'"),
    ],
)
def test_what_checkpoints_can_not_have(kind: Any, settings: dict[str, Any], words: str) -> None:
    """Impossible wishes are refused with what would be right."""
    with pytest.raises(DefinitionError) as wrong:
        phases(kind.KIND, settings)
    assert words in str(wrong.value)


def test_direct_from_the_command_line_is_refused_too() -> None:
    """Nobody passes the page cache by through a library that does not."""
    with pytest.raises(ValueError, match="no 'direct' for them"):
        phases(checkpoint_load.KIND, {"format": "dcp"}, cache=CachePolicy.DIRECT)
    with pytest.raises(ValueError, match="direct is for ranks"):
        phases(checkpoint_load.KIND, {"who": "all"}, cache=CachePolicy.DIRECT)
