"""Compiled templates are kept for the next command of the same user, and only for that one."""

import marshal
import os
import pickle
from io import BytesIO
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment
from jinja2.bccache import bc_magic

from aibench.reporters.compiled import Compiled


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache directory of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "aibench"


def rendered(*, trim: bool = True) -> str:
    """What a new environment makes of a template."""
    environment = Environment(
        loader=DictLoader({"page": "as written {{ 1 + 1 }}"}), autoescape=True, trim_blocks=trim
    )
    environment.bytecode_cache = Compiled(environment)
    return environment.get_template("page").render()


def kept(cache: Path) -> Path:
    """The one file that is kept."""
    (found,) = cache.iterdir()
    return found


def exchange(path: Path, source: str) -> None:
    """Have the file hold the code of another template, as if it were that of the same one."""
    file = BytesIO(path.read_bytes())
    file.seek(len(bc_magic))
    pickle.load(file)  # the checksum of the source
    head = file.getvalue()[: file.tell()]
    path.write_bytes(head + marshal.dumps(Environment(autoescape=True).compile(source)))


def test_a_template_is_compiled_once(cache: Path) -> None:
    """What was compiled before is taken as it was kept, by an environment that reads alike."""
    assert rendered() == "as written 2"
    exchange(kept(cache), "as kept")
    assert rendered() == "as kept"
    assert rendered(trim=False) == "as written 2"


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_what_others_may_write_is_not_run(cache: Path, mode: int) -> None:
    """A file that others may write is compiled anew, and replaced by one that they may not."""
    rendered()
    exchange(kept(cache), "as kept")
    kept(cache).chmod(mode)
    assert rendered() == "as written 2"
    assert kept(cache).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_another_user_keeps_is_not_run(cache: Path) -> None:
    """A file of another user is compiled anew, also where root meets it."""
    rendered()
    exchange(kept(cache), "as kept")
    os.chown(kept(cache), 65534, 65534)
    assert rendered() == "as written 2"


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_what_is_damaged_is_compiled_anew(cache: Path, content: bytes | None) -> None:
    """A file that is empty, cut off or no code at all changes nothing in a report."""
    rendered()
    path = kept(cache)
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    assert rendered() == "as written 2"


def test_nothing_can_be_kept(cache: Path) -> None:
    """Where there is no cache directory and none can be made, reports are made all the same."""
    cache.parent.write_text("a file")
    assert rendered() == "as written 2"
    assert cache.parent.read_text() == "a file"
