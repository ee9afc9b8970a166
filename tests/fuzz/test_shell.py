"""Nothing of aibench hands text to a shell, or turns text into code."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import aibench
from tests.engines.tracing import requires_strace

PACKAGE = Path(aibench.__file__).parent
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execl", "os.execlp",
    "os.execvp", "os.execvpe", "os.spawnl", "os.spawnlp", "os.spawnv", "os.spawnvp",
    "os.posix_spawn",
    "subprocess.getoutput", "subprocess.getstatusoutput", "yaml.load", "yaml.unsafe_load",
    "numpy.load", "np.load", "pty.spawn", "asyncio.create_subprocess_shell", "Markup",
}  # fmt: skip
FORBIDDEN_IMPORTS = {
    "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "commands", "pty",
    "code", "codeop", "yaml", "jsonpickle", "xml", "lxml",
}  # fmt: skip
#: What torch reads holds a pickle: it is written here, and nowhere is one read.
WRITES_PICKLES = {"formats/tensors.py": ["pickle"]}
#: What ranks of one run say to each other are pickles: MPI brings them from their own processes.
SPEAKS_TO_RANKS = {
    f"{name}.py": ["pickle"]
    for name in ("cli/ranks", "world/gathering", "world/linked", "world/relay", "world/switchboard")
}
#: Reads arrays as NumPy does by default: without pickles.
READS_ARRAYS = {"engines/torch/reads.py": ["np.load"] * 3}
#: Writes XML and never reads it.
WRITES_XML = {"reporters/junit.py": ["xml.etree"]}
#: The modules that start programs, by lists of arguments.
START_PROGRAMS = {"process.py", "doctor/tools.py", "pytest_plugin.py"}


def trees() -> Iterator[tuple[str, ast.AST]]:
    """Every module of aibench, by its path in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def offences(tree: ast.AST) -> Iterator[str]:
    """What in a module could give text to a shell or to an interpreter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FORBIDDEN_CALLS:
                yield name
            if any(k.arg == "shell" for k in node.keywords):
                yield f"{name}(shell=…)"
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            found = {module or ""} | {alias.name for alias in node.names}
            yield from (name for name in found if name.split(".")[0] in FORBIDDEN_IMPORTS)
            yield from (
                f"{module}.{alias.name}"
                for alias in node.names
                if f"{module}.{alias.name}" in FORBIDDEN_CALLS
            )


def test_no_module_uses_a_shell_or_runs_text() -> None:
    """No module calls a shell, evaluates text, or reads a format that can hold code."""
    found = {path: told for path, tree in trees() if (told := list(offences(tree)))}
    assert found == WRITES_PICKLES | WRITES_XML | READS_ARRAYS | SPEAKS_TO_RANKS
    for path in READS_ARRAYS:
        assert "allow_pickle" not in (PACKAGE / path).read_text(encoding="utf-8")
    for path in WRITES_XML:
        text = (PACKAGE / path).read_text(encoding="utf-8")
        assert "parse" not in text
        assert "fromstring" not in text
    for path in WRITES_PICKLES:
        text = (PACKAGE / path).read_text(encoding="utf-8")
        used = {ast.unparse(n) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Attribute)}
        assert {name for name in used if name.startswith("pickle.")} == {
            "pickle.GLOBAL", "pickle.STACK_GLOBAL", "pickle._Pickler",
        }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["import os; os.system('x')", "subprocess.run('x', shell=True)", "from pickle import loads",
     "eval('1')", "from os import popen", "import yaml", "subprocess.getoutput('x')"],
)  # fmt: skip
def test_the_search_finds_offences(text: str) -> None:
    """Each kind of offence would be found."""
    assert list(offences(ast.parse(text)))


def test_few_modules_start_programs() -> None:
    """Programs are started in the places that are known for it, and nowhere else."""
    starting = {
        path
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "subprocess" in {getattr(node, "module", None), *(a.name for a in node.names)}
    }
    assert starting <= START_PROGRAMS


@requires_strace
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fio") is None, reason="fio is not installed")
def test_a_run_executes_fio_and_nothing_else(tmp_path: Path) -> None:
    """The kernel sees a run execute Python and fio, by their paths, and no shell."""
    target, trace = tmp_path / "a b;$(id)`id`'\"", tmp_path / "trace"
    target.mkdir()
    words = "strace -f --seccomp-bpf -qq -e trace=execve,execveat -s 200 -o"
    tracing = [*words.split(), str(trace)]
    done = subprocess.run(
        [*tracing, sys.executable, "-m", "aibench", "run", str(target), "-w", "block", "--repeats",
         "1", "--set", "file_size=1MiB", "--set", "runtime=100ms", "--set", "jobs=1", "--cache",
         "as-found", "--label", "$(id);`id`", "--results", str(tmp_path / "results")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 3), done.stderr
    executed = re.findall(r'execve(?:at)?\("([^"]*)".*= 0$', trace.read_text(), re.MULTILINE)
    fio = shutil.which("fio")
    assert fio in executed
    assert set(executed) == {fio, sys.executable}
