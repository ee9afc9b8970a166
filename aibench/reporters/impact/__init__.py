"""Reports of a projection: one document, and what formats make of it."""

from aibench.reporters.impact.document import document

__all__ = ["document"]
