"""The projection as one JSON document."""

from aibench.reporters.json import render

__all__ = ["render"]
