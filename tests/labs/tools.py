"""What fio, dd and strace say: labs are measured by others than aibench."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

Done = subprocess.CompletedProcess[str]
requires_fio = pytest.mark.skipif(shutil.which("fio") is None, reason="This needs fio.")
requires_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="This needs strace.")


def unless(lacking: str) -> pytest.MarkDecorator:
    """Skips a test, with the sentence that says what is missing, where anything is."""
    return pytest.mark.skipif(bool(lacking), reason=lacking or "nothing is missing")


def tool(*words: str | Path) -> Done:
    """How a command ended, and what it said in English."""
    environment = os.environ | {"LC_ALL": "C"}
    command = [str(word) for word in words]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=60
    )


def fio(directory: Path, *options: str, size: str = "64m") -> Any:
    """What fio says about a second and a half of one direct job in ``directory``."""
    command = [
        *("fio", "--name=lab", f"--directory={directory}", "--direct=1", f"--size={size}"),
        *(
            "--time_based",
            "--runtime=1500ms",
            "--ramp_time=300ms",
            "--output-format=json",
            *options,
        ),
    ]
    done = tool(*command)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["jobs"][0]


def dd(*words: str | Path) -> Done:
    """How dd ended, and what it said."""
    return tool("dd", *words)


def copied(done: Done) -> int:
    """How many bytes dd says it copied."""
    return int(re.findall(r"^(\d+) bytes", done.stderr, re.MULTILINE)[0])


def took(done: Done) -> float:
    """How many seconds dd says it took."""
    return float(re.findall(r"copied, ([\d.e-]+) s", done.stderr)[0])
