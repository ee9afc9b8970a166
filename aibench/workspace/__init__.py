"""The one directory on the target that aibench writes in, and what lies there."""

from aibench.workspace.root import MARKER, NAME, Workspace, find

__all__ = ["MARKER", "NAME", "Workspace", "find"]
