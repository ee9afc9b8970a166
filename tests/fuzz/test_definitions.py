"""Definition files are data from strangers: whatever they hold, nothing leaves its place."""

import os
import re
import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aibench.cli.named import Engines
from aibench.definition.claims import load_claims
from aibench.definition.source import line_of, toml
from aibench.definition.system import load_system
from aibench.definition.workloads import WorkloadFile, load_workload, shipped_workloads
from aibench.engines.fio import job
from aibench.errors import DefinitionError, Refused
from aibench.formats import files
from aibench.generators.settings import _value, kind_of
from aibench.model import Operation
from aibench.planner import Options, make_plan
from tests import build
from tests.fuzz.bounded import refused

LOADERS = (load_workload, load_claims, load_system)
NAMES = (
    "..", "../x", "/etc/passwd", "a/b", "a\\b", "-rf", "--filename=/etc", ".hidden", "~root",
    "@all",
    "a\u0000b", "a\nb", "a\n[global]", "a\rb", "a\u001b[31m", "a\u009b2J", "x" * 5000, "",
    " ", "a b",
    "a\u202eb", "a\u2215b", "a\uff0fb", "a\u2044b", "a\u200bb", "${HOME}", "$ncpus", "$(id)",
    "`id`",
    "a;id", "a|id", "exec_prerun=id", "a:b", "a%b", "а", "Ａ",
)  # fmt: skip
WORKLOAD = {
    "name": "demo", "title": "A title", "imitates": "A data loader that reads small files.",
    "kind": "load",
}  # fmt: skip
SYSTEM = {"vendor": "v", "product": "p", "unit": "node"}


def quoted(text: str) -> str:
    """``text`` as a TOML string, with escapes for what TOML does not let through."""
    kept = string.ascii_letters + string.digits + " .,-_/"
    return '"' + "".join(c if c in kept else f"\\U{ord(c):08x}" for c in text) + '"'


TURNED, ESCAPING = quoted("a\u202eb"), quoted("a\u001bb")


def written(folder: Path, values: dict[str, str], rest: str = "") -> Path:
    """A file with ``values`` as text, and ``rest`` as it is."""
    path = folder / "file.toml"
    lines = [f"{quoted(key)} = {quoted(value)}" for key, value in values.items()]
    path.write_text("\n".join([*lines, rest]), encoding="utf-8")
    return path


def mistakes(path: Path, load: Any = load_workload) -> tuple[str, ...]:
    """The mistakes that a file is refused for: printable, each on a line."""
    with pytest.raises(DefinitionError) as caught:
        load(path)
    assert all(mistake.isprintable() for mistake in caught.value.mistakes)
    assert max(map(len, caught.value.mistakes)) < 1000
    return caught.value.mistakes


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["name", "kind"])
def test_no_name_leaves_its_directory(tmp_path: Path, key: str, name: str) -> None:
    """A name that is more than letters, digits and hyphens is refused, with its line."""
    path = written(tmp_path, WORKLOAD | {key: name})
    found = [m for m in mistakes(path) if re.search(rf"file.toml:\d: {key}: ", m)]
    assert len(found) == 1


@pytest.mark.parametrize("name", NAMES)
def test_no_suite_leaves_its_place(tmp_path: Path, name: str) -> None:
    """Names of suites are as plain as those of workloads, in lists and as tables."""
    rest = f"suites = [{quoted(name)}]\n[suite.{quoted(name)}]\nfiles = 1"
    told = mistakes(written(tmp_path, WORKLOAD, rest))
    assert len([m for m in told if ": suite" in m]) >= 2


@pytest.mark.parametrize("text", ["a\u001b]0;x\u0007", "\u009b2J", "a\rb", "a\u202eb", "a\u2028b"])
@pytest.mark.parametrize("key", ["title", "imitates"])
def test_no_text_reaches_a_terminal_as_a_control(tmp_path: Path, key: str, text: str) -> None:
    """Controls and direction marks in any text are mistakes, shown as escapes."""
    path = written(tmp_path, WORKLOAD | {key: text + "x" * 20})
    assert any("control characters or direction marks" in m for m in mistakes(path))


def test_every_text_of_a_claim_and_a_system_is_checked(tmp_path: Path) -> None:
    """All texts of a claim are checked at once, and so are those of a system."""
    keys = ("title", "vendor", "product", "configuration", "quote", "source", "date", "scope",
            "unit_as_printed", "unit_definition", "untestable_part")  # fmt: skip
    table = "\n".join(f"{key} = {TURNED}" for key in keys)
    listed = "".join(f"\n{key} = [{ESCAPING}]" for key in ("stated", "defects"))
    path = tmp_path / "claims.toml"
    path.write_text(f"[[claims]]\n{table}{listed}\n", encoding="utf-8")
    told = [m for m in mistakes(path, load_claims) if "control characters" in m]
    assert len(told) == len(keys) + 2
    extra = f"units = 1\n[extra]\n{ESCAPING} = {TURNED}"
    told = mistakes(written(tmp_path, SYSTEM, extra), load_system)
    assert len([m for m in told if "control characters" in m]) == 2


HUGE = {
    "too large": "#" * 300_000,
    "nested too deeply": "a=" + "[" * 60_000,
    "nested too deeply ": "a=" + "{a=" * 50_000,
    "dots in a line": ".".join("a" * 60_000) + "=1",
    "dots in a line ": f"[{'.'.join('a' * 60_000)}]",
    "too many digits": "units=" + "9" * 100_000,
    "larger": " " * 262_145,
}


@pytest.mark.parametrize("what", HUGE)
@pytest.mark.parametrize("load", LOADERS)
def test_huge_definitions_are_refused(tmp_path: Path, what: str, load: Any) -> None:
    """What is too large, too deep or of too many parts is one mistake."""
    path = tmp_path / "file.toml"
    path.write_text(HUGE[what])
    assert len(mistakes(path, load)) == 1


def test_mistakes_are_bounded(tmp_path: Path) -> None:
    """Of a great many mistakes the first are told, and how many more there are."""
    rest = "\n".join(f"k{n}=1" for n in range(20_000))
    told = mistakes(written(tmp_path, WORKLOAD, rest))
    assert len(told) == 101
    assert told[-1].endswith("and 19900 more mistakes")
    claims = tmp_path / "claims.toml"
    claims.write_text("[[claims]]\n" * 20_000)
    assert len(mistakes(claims, load_claims)) == 1


def test_huge_numbers_are_mistakes(tmp_path: Path) -> None:
    """A number that Python itself would not print is a mistake like any other, with its line."""
    told = mistakes(
        written(tmp_path, SYSTEM, f"units = 0x{'f' * 100_000}\nprice=1e400"), load_system
    )
    assert told[0].endswith("not a number of too many digits")
    assert "price: has to be a finite number" in told[1]


@pytest.mark.parametrize("kind", ["fifo", "directory", "missing", "zero", "endless"])
@pytest.mark.parametrize("load", LOADERS)
def test_only_regular_files_are_read(tmp_path: Path, kind: str, load: Any) -> None:
    """A pipe, a device or a file without an end is refused at once, and little of it is read."""
    path = odd_file(tmp_path, kind)
    with pytest.raises(Refused, match=re.escape(str(path))):
        load(path)


@pytest.mark.parametrize(("kind", "option"), [("fifo", "-w"), ("zero", "--claims")])
def test_a_refused_definition_leaves_nothing(tmp_path: Path, kind: str, option: str) -> None:
    """A run with such a definition ends at once, with little memory, and has written nothing."""
    path, target = odd_file(tmp_path, kind), tmp_path / "target"
    target.mkdir()
    assert str(path) in refused("run", target, option, path, "--results", tmp_path / "results")
    assert list(target.iterdir()) == []
    assert not (tmp_path / "results").exists()


def odd_file(folder: Path, kind: str) -> Path:
    """A path at which no definition can be."""
    path = folder / "file.toml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "endless":
        path.touch()
        os.truncate(path, 2**40)
    return Path("/dev/zero") if kind == "zero" else path


def test_names_of_files_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    """A file whose name holds escapes and line ends is refused in one line that shows them."""
    path = tmp_path / "a\x1b]0;x\x07\nb\u202e.toml"
    path.write_text("x = ")
    said = refused("run", tmp_path, "-w", path)
    assert "\\x1b]0;x\\x07\\nb\\u202e.toml" in said


SETTINGS = st.sampled_from(
    [
        *("0", "1", "7", "1000000", "1000000000000", "9223372036854775807", "-1", "1e400", "nan"),
        *(f"0x{'f' * 5000}", "9" * 5000, "0.5", "true", "[]", "{}", "[" * 2000, "1979-05-27"),
        *('"0B"', '"1B"', '"4KiB"', '"7.9EiB"', '"512B"', '"1TiB"', '"100000d"', '"0s"', '"²B"'),
        *(
            "cold",
            "direct",
            "lognormal",
            "fixed",
            "../..",
            "$(id)",
            "a\nb = 1",
            "\udc80",
            "\x1b[2J",
        ),
    ]
)


@pytest.mark.parametrize("file", shipped_workloads(), ids=lambda file: file.workload.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_setting_gives_a_plan_or_is_refused(file: WorkloadFile, data: st.DataObject) -> None:
    """Whatever ``--set`` says, there is a plan whose files lie inside, or mistakes in words."""
    keys = st.sampled_from(list(kind_of(file).settings.model_fields))
    chosen = data.draw(st.dictionaries(keys, SETTINGS, min_size=1, max_size=3))
    scale = data.draw(st.sampled_from((1.0, 1e-6, 1e6)))
    asked = tuple(f"{key}={value}" for key, value in chosen.items())
    options = Options(name="x", seed=1, cpus=2, settings=asked, scale=scale, engine="null")
    try:
        plan = make_plan([file], options, Engines(), build.target())
    except Refused as refusal:
        told = str(refusal).splitlines()
        assert all(line.isprintable() for line in told)
        return
    for phase in plan.stages[0].phases:
        path = f"{phase.population.directory}/{files.path_of(phase.population, 0)}"
        assert re.fullmatch(r"(data|scratch)/[a-z0-9-]+(/d[0-9]+)?/f[0-9]+", path)


@given(st.text(max_size=200))
def test_no_text_makes_a_setting_fail(text: str) -> None:
    """A value of ``--set`` that is no TOML is taken as text, whatever it is."""
    _value(text)


@settings(max_examples=50)
@given(
    st.text(alphabet="[]\"'.= \n\\#ab1", max_size=400), st.lists(st.text(max_size=3), max_size=4)
)
def test_lines_are_found_in_any_text(text: str, path: list[str]) -> None:
    """Looking for the line of a mistake never fails, and the line is one of the text."""
    found = line_of(text, tuple(path))
    assert found is None or 1 <= found <= text.count("\n") + 1


@settings(max_examples=100)
@given(st.text(alphabet="[]{}\"'.=, \n\\#ab1-:TZe+_", max_size=300) | st.text(max_size=100))
def test_any_toml_is_read_or_refused(text: str) -> None:
    """Text is TOML, or there is one sentence about what is wrong with it."""
    try:
        assert isinstance(toml(text), dict)
    except ValueError:
        with pytest.raises(ValueError, match=r"\w"):
            tomllib.loads(text)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(("name", "title", "imitates", "kind", "suites", "repeats", "params", "x")),
        st.text(max_size=60) | st.sampled_from(NAMES),
    )
)
def test_any_workload_is_read_or_refused(tmp_path: Path, values: dict[str, str]) -> None:
    """Any texts make a workload with plain names, or mistakes that are printable."""
    try:
        path = written(tmp_path, {k: v.encode(errors="ignore").decode() for k, v in values.items()})
        workload = load_workload(path).workload
    except DefinitionError as refusal:
        told = refusal.mistakes
        assert all(mistake.isprintable() for mistake in told)
    else:
        assert re.fullmatch("[a-z0-9][a-z0-9-]{0,47}", workload.name)


@given(st.text(max_size=60) | st.sampled_from(NAMES))
def test_only_plain_paths_reach_a_job_file(name: str) -> None:
    """A path that fio could take for more than a path never gets into a job file."""
    population = build.population(directory=f"scratch/{name}", files=1)
    phase = build.phase(operation=Operation.READ_BLOCKS, population=population, processes=1)
    if job.is_plain(job.paths(phase, [0])[0]):
        lines = job.job_file(phase, 1, "psync", 1, [0]).splitlines()
        assert [line for line in lines if line.startswith("[")] == ["[global]", "[job0]"]
        assert [line for line in lines if "filename" in line] == [
            f"filename=scratch/{name}/d000000/f0000000000"
        ]
    else:
        with pytest.raises(ValueError, match="no place in a job file"):
            job.job_file(phase, 1, "psync", 1, [0])


def test_a_claim_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A name with a NUL in it, which no file can have, is refused like any that is missing."""
    for load in LOADERS:
        with pytest.raises(Refused):
            load(tmp_path / "a\0b.toml")
