"""The tidy table of `csv` as a Parquet file, with the types of its columns."""

from io import BytesIO
from typing import Any

from aibench import frames
from aibench.errors import Refused


def render(document: dict[str, Any], *, width: int = 80, color: bool = False) -> bytes:
    """``document`` as the bytes of a Parquet file. `Refused` where pyarrow is not installed.

    ``width`` and ``color`` have no meaning here.
    """
    del width, color
    try:
        import pyarrow  # noqa: F401, ICN001 - pandas would say it less clearly
    except ImportError as error:
        raise Refused("Parquet needs pyarrow: pip install 'aibench[formats]'") from error
    out = BytesIO()
    frames.figures([document]).to_parquet(out, engine="pyarrow", index=False)
    return out.getvalue()
