"""Where what can be made anew at any time is kept for the next command of the same user."""

import os
from pathlib import Path


def directory() -> Path:
    """The user's cache directory for aibench, by the XDG Base Directory Specification."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home, "aibench")
