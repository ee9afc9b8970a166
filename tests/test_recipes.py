"""The recipes for many clients: scripts that a shell takes, a manifest that an operator takes."""

import argparse
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from aibench.cli import commands
from aibench.clients.calls import LAUNCHER

TOP = Path(__file__).parent.parent
RECIPES = TOP / "recipes"
README = (RECIPES / "README.md").read_text()
BATCH = RECIPES / "aibench.sbatch"
BLOCKS = re.findall(r"<!-- test: shell -->\n```sh\n(.*?)```", README, re.DOTALL)
#: What the operator's definition of an MPIJob (v2beta1) knows in its spec, and in its runPolicy.
SPEC = {
    "slotsPerWorker", "runLauncherAsWorker", "runPolicy", "mpiReplicaSpecs", "sshAuthMountPath",
    "launcherCreationPolicy", "mpiImplementation",
}  # fmt: skip
POLICY = {
    "cleanPodPolicy", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit",
    "schedulingPolicy", "suspend", "managedBy",
}  # fmt: skip


def aibench(words: list[str]) -> click.Context:
    """The arguments of an aibench command as that command takes them; it is not run."""
    name, *arguments = words
    command = commands.get_command(click.Context(commands), name)
    assert command is not None, name
    return command.make_context(name, arguments)


def aibench_lines(text: str) -> Iterator[list[str]]:
    """The words behind ``aibench`` in each command of a shell text, but for `--version`."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        places = [n for n, word in enumerate(words) if word.rpartition("/")[2] == "aibench"]
        if places and not words[places[0] - 1].endswith("venv"):
            found = words[places[0] + 1 :]
            if found not in ([], ["--version"]):
                yield found


def shell_problem(text: str) -> str:
    """What bash, and shellcheck where it is installed, say against a text."""
    checks = [["bash", "-n"]]
    if shutil.which("shellcheck"):
        checks.append(["shellcheck", "--shell=bash", "--severity=warning", "-"])
    done = [
        subprocess.run(check, input=text, text=True, capture_output=True, check=False)
        for check in checks
    ]
    return "\n".join(each.stdout + each.stderr for each in done if each.returncode)


def test_blocks_of_the_readme() -> None:
    """Every shell block is well formed, and every aibench command in one is taken."""
    assert len(BLOCKS) == 5
    assert len(re.findall(r"^```sh$", README, re.MULTILINE)) == len(BLOCKS)
    for block in BLOCKS:
        assert shell_problem(block) == "", block
    found = [words for block in BLOCKS for words in aibench_lines(block)]
    assert len(found) == 4
    for words in found:
        aibench(words)


def test_launcher_of_the_readme() -> None:
    """The command lines over ssh begin as those do that a plan prints."""
    lines = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
    launched = [shlex.split(line) for line in lines if "/mpirun " in line]
    assert len(launched) == 4
    for words in launched:
        assert words[0] == "/shared/aibench/bin/mpirun"
        assert words[1 : len(LAUNCHER)] == [word.format(4) for word in LAUNCHER[1:]]


def test_files_of_the_readme() -> None:
    """Every file that the README links to is there."""
    linked = re.findall(r"\]\(([A-Za-z][^):]*)\)", README)
    assert set(linked) == {"aibench.sbatch", "Dockerfile", "mpijob.yaml"}
    for name in linked:
        assert (RECIPES / name).is_file()


class Directives(argparse.ArgumentParser):
    """Those options of sbatch that the script uses."""

    def __init__(self) -> None:
        super().__init__(allow_abbrev=False)
        self.add_argument("--job-name", required=True)
        self.add_argument("--nodes", type=int, required=True)
        self.add_argument("--ntasks-per-node", type=int, required=True)
        self.add_argument("--exclusive", action="store_true", required=True)
        self.add_argument("--mem", type=int)
        self.add_argument("--time", required=True)
        self.add_argument("--signal", required=True)
        self.add_argument("--output")


def test_batch_script_directives() -> None:
    """Slurm is asked for whole nodes, one task on each, and a signal before the time is up."""
    text = BATCH.read_text()
    assert shell_problem(text) == ""
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    directives = [n for n, line in enumerate(lines) if line.startswith("#SBATCH ")]
    first = next(n for n, line in enumerate(lines) if line and not line.startswith("#"))
    assert max(directives) < first  # sbatch stops looking at the first command
    asked = Directives().parse_args([lines[n].removeprefix("#SBATCH ") for n in directives])
    assert asked.ntasks_per_node == 1
    assert asked.mem == 0
    assert re.fullmatch(r"\d\d:\d\d:\d\d", asked.time)
    signal, _, seconds = asked.signal.partition("@")
    assert (signal, int(seconds) >= 60) == ("TERM", True)


SRUN = """#!/bin/bash
printf '%s\\n' "$@" "results=$AIBENCH_RESULTS" "path=$PATH"
exit 3
"""


def batch(tmp_path: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the batch script as Slurm does on its first node, with an srun that prints."""
    srun = tmp_path / "srun"
    srun.write_text(SRUN)
    srun.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_SUBMIT_DIR": str(tmp_path),
        "SLURM_CPUS_ON_NODE": "16", **more,
    }  # fmt: skip
    return subprocess.run(["bash", str(BATCH), *arguments], env=environment, text=True,
                          capture_output=True, check=False)  # fmt: skip


def test_batch_script_runs(tmp_path: Path) -> None:
    """The script starts unbound tasks by srun, with its arguments, and ends with their code."""
    done = batch(tmp_path, "/mnt/my data", "-w", "block", AIBENCH_VENV="/shared/aibench")
    assert done.returncode == 3
    words = done.stdout.splitlines()
    assert words[:4] == [
        "--mpi=pmix", "--cpu-bind=none", "--kill-on-bad-exit=0", "--cpus-per-task=16",
    ]  # fmt: skip
    assert words[4:9] == ["aibench", "run", "/mnt/my data", "-w", "block"]
    aibench(words[5:9])
    assert words[9] == f"results={tmp_path}/results"
    assert (tmp_path / "results").is_dir()
    assert words[10].startswith("path=/shared/aibench/bin:")
    other = batch(tmp_path, "/mnt/data", AIBENCH_SRUN_MPI="pmi2")
    assert other.stdout.startswith("--mpi=pmi2\n")


def test_batch_script_wants_a_directory(tmp_path: Path) -> None:
    """Without a directory the script says how it is used, and starts nothing."""
    done = batch(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "sbatch --nodes=N aibench.sbatch DIR" in done.stderr


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    """The manifest, of which there is one document."""
    (found,) = yaml.safe_load_all((RECIPES / "mpijob.yaml").read_text())
    assert isinstance(found, dict)
    return found


def containers(job: dict[str, Any], role: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(pod, its only container) of a role."""
    pod = job["spec"]["mpiReplicaSpecs"][role]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def test_manifest_has_what_the_operator_asks_for(job: dict[str, Any]) -> None:
    """The manifest is an MPIJob of v2beta1 with a launcher and workers, and nothing unknown."""
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v2beta1", "MPIJob")
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", job["metadata"]["name"])
    spec = job["spec"]
    assert set(spec) <= SPEC
    assert set(spec["runPolicy"]) <= POLICY
    assert spec["runPolicy"]["cleanPodPolicy"] in ("None", "Running", "All")
    assert spec["mpiImplementation"] in ("OpenMPI", "Intel", "MPICH")
    assert set(spec["mpiReplicaSpecs"]) == {"Launcher", "Worker"}
    assert spec["mpiReplicaSpecs"]["Launcher"]["replicas"] == 1
    for role in ("Launcher", "Worker"):
        replica = spec["mpiReplicaSpecs"][role]
        assert replica["restartPolicy"] == "Never"
        _, container = containers(job, role)
        assert container["name"]
        assert ":" in container["image"]
        assert all(isinstance(word, str) for word in (*container["command"], *container["args"]))
        assert container["resources"]["requests"] == container["resources"]["limits"]


def test_manifest_starts_one_rank_a_worker(job: dict[str, Any]) -> None:
    """The launcher starts aibench once in each worker, unbound, with arguments that it takes."""
    _, launcher = containers(job, "Launcher")
    words = [*launcher["command"], *launcher["args"]]
    workers = job["spec"]["mpiReplicaSpecs"]["Worker"]["replicas"]
    assert job["spec"]["slotsPerWorker"] == 1
    assert words[:5] == ["mpirun", "-n", str(workers), "--bind-to", "none"]
    assert words[5] == "aibench"
    asked = aibench(words[6:]).params
    _, worker = containers(job, "Worker")
    mounted = {each["mountPath"] for each in worker["volumeMounts"]}
    assert {asked["target"], asked["results_dir"]} == mounted


def test_manifest_keeps_workers_apart(job: dict[str, Any]) -> None:
    """Workers share no node, so that none reads from memory what another one wrote."""
    pod, worker = containers(job, "Worker")
    labels = job["spec"]["mpiReplicaSpecs"]["Worker"]["template"]["metadata"]["labels"]
    (rule,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert rule["labelSelector"]["matchLabels"].items() <= labels.items()
    assert {each["name"] for each in worker["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    assert worker["command"] == ["/usr/sbin/sshd"]


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of the Dockerfile, comments left out and lines joined."""
    text = re.sub(r"^#.*\n", "", (RECIPES / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def test_dockerfile(job: dict[str, Any]) -> None:
    """The image begins from a Python that aibench runs on, and has what the manifest starts."""
    found = instructions()
    assert found[0][0] == "FROM"
    version = re.match(r"python:3\.(\d+)-slim", found[0][1])
    assert version is not None
    assert int(version[1]) >= 11
    assert {name for name, _ in found} == {"FROM", "RUN", "ENV"}
    for name, rest in found:
        if name == "RUN":
            assert shell_problem(rest) == "", rest
    text = " ".join(rest for _, rest in found)
    for package in ("openmpi-bin", "openssh-server", "openssh-client", "fio", "'aibench[mpi]'"):
        assert package in text
    assert "OMPI_ALLOW_RUN_AS_ROOT=1" in text
    assert containers(job, "Launcher")[1]["image"] == containers(job, "Worker")[1]["image"]
