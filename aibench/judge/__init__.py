"""Claims held against records: a verdict for each reading of each claim, as a pure function."""

from aibench.judge.judging import judge

__all__ = ["judge"]
