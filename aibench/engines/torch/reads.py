"""How real programs read one sample that is a file of its own, by format and reader.

Nothing here emulates anything: each function calls the library that the reader of that name
imitates. Readers that imitate nothing (``lean``, ``stat``) are what they are the least of:
``open(path, "rb").read()``.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
#: Reads the file at a path; gives what is in it, decoded where the library decodes.
Read = Callable[[str], Bytes]

#: The first NumPy that opens an array in an archive once.
_ONCE = (2, 3)
_PAGE = 4096


def read_python(path: str) -> Bytes:
    """``open(path, "rb").read()``."""
    with open(path, "rb") as file:
        return np.frombuffer(file.read(), dtype=np.uint8)


def read_pil(path: str) -> Bytes:
    """``PIL.Image.open(path).convert("RGB")``, as torchvision loads an image."""
    from PIL import Image

    with open(path, "rb") as file:
        return _flat(np.asarray(Image.open(file).convert("RGB")))


def read_npy(path: str) -> Bytes:
    """``numpy.load(path)``."""
    return _flat(np.load(path))


def read_mapped(path: str) -> Bytes:
    """``numpy.load(path, mmap_mode="r")``, and a byte of each page used."""
    found = _flat(np.load(path, mmap_mode="r"))
    found[::_PAGE].sum()
    return found


def read_npz(path: str) -> Bytes:
    """``numpy.load(path)["x"]``."""
    with np.load(path) as archive:
        return _flat(archive["x"])


def _flat(found: NDArray[Any]) -> Bytes:
    return found.reshape(-1).view(np.uint8)


_OF_ANY: Mapping[str, Read] = {"lean": read_python, "stat": read_python, "python": read_python}
_READS: Mapping[str, Mapping[str, Read]] = {
    "files": _OF_ANY,
    "jpeg": {**_OF_ANY, "pil": read_pil},
    "npy": {**_OF_ANY, "numpy": read_npy, "mmap": read_mapped},
    "npz": {**_OF_ANY, "numpy": read_npz, "numpy-2.2": read_npz},
}


def read_of(form: str, reader: str) -> Read:
    """What really reads a sample of that format. KeyError where nothing here does."""
    return _READS[form][reader]


def problem(form: str, reader: str) -> str | None:
    """Why samples of that format can't be read so here; None where they can."""
    if form not in _READS:
        return f"engine torch reads {', '.join(_READS)} and webdataset, not format {form!r}"
    if reader not in _READS[form]:
        known = ", ".join(_READS[form])
        return f"engine torch reads format {form!r} by {known}, not by reader {reader!r}"
    if reader == "pil" and find_spec("PIL") is None:
        return "reader 'pil' needs Pillow: pip install 'aibench[torch]'"
    if form == "npz" and reader.startswith("numpy"):
        version = tuple(int(part) for part in np.__version__.split(".")[:2])
        if (version < _ONCE) != (reader == "numpy-2.2"):
            real = "numpy-2.2" if version < _ONCE else "numpy"
            return f"NumPy {np.__version__} is installed, whose reader is {real!r}"
    return None
