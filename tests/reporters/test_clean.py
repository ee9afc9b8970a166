from hypothesis import given
from hypothesis import strategies as st

from aibench.reporters.clean import clean, cleaned
from tests.reporters.hostile import HOSTILE


def test_control_characters_are_shown_as_replaced() -> None:
    """Escapes, direction marks and bytes of no encoding show as a replacement character."""
    assert clean("a\x1b[31mb\u202ec\udc80") == "a\ufffd[31mb\ufffdc\ufffd"


def test_line_ends_become_spaces() -> None:
    """A text of a record stays on its line."""
    assert clean("one\r\ntwo\u2028three") == "one  two three"


def test_other_scripts_stay() -> None:
    """Quotes in Chinese, and signs such as µ, are left as they are."""
    assert clean("单节点20GB/s+带宽 454 µs") == "单节点20GB/s+带宽 454 µs"


def test_job_files_keep_their_lines() -> None:
    """A job file keeps its lines and loses its escapes."""
    assert cleaned({"tool": {"job": "[a]\nrw=read\x1b"}}) == {"tool": {"job": "[a]\nrw=read\ufffd"}}


@given(st.text(alphabet=st.characters()) | st.just(HOSTILE))
def test_cleaned_text_is_printable(text: str) -> None:
    """Whatever a record holds, what is shown is printable and can be encoded."""
    assert clean(text).replace(" ", "x").replace("\u3000", "x").isascii() or all(
        character.isprintable() or character.isspace() for character in clean(text)
    )
    clean(text).encode()
