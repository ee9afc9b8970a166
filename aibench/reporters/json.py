"""The document as JSON, for programmes: the same facts as every other format."""

import json
import re
from typing import Any

#: Characters that JSON lets through but a terminal obeys, hides or can't encode.
_HIDDEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> str:
    """``document`` as indented JSON with one newline at its end; no text is changed or lost.

    ``width`` and ``color`` have no meaning here. Control characters are written as escapes.
    """
    del width, color
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"
