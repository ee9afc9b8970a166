"""The fio engine: block-shaped work by the tool that vendors and their customers trust."""

from aibench.engines.fio.engine import FioEngine

__all__ = ["FioEngine"]
