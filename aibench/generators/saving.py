"""Checkpoints that a training saves meanwhile: when, what stops for them, and how they are written.

They are those of `checkpoint_save`, with the same formats, sizes and ways of a library.
"""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from aibench.generators import checkpoint_save
from aibench.generators.kind import Request
from aibench.model import Phase, SyncPolicy

#: What of `checkpoint_save` a training decides by itself.
_DECIDED = ("checkpoints", "snapshot", "changed", "read_back")
#: So many checkpoints can be told apart.
_MOST = 1000

Mode = Literal["sync", "durable", "async"]


class Settings(checkpoint_save.Settings):
    """The settings of checkpoints while accelerators are fed, one after ``every`` so many steps.

    All accelerators stop for it: with the mode ``sync`` until a trainer could go on, which is when
    the library's call comes back; ``durable`` until it is on storage; ``async`` until each rank has
    copied its state, while the rest is written in the background, and the next checkpoint waits
    for it. The last ``keep`` stay.
    """

    every: Annotated[int, Field(ge=1, le=10**9, strict=True)]
    mode: Mode = "sync"
    keep: Annotated[int, Field(ge=0, le=1000, strict=True)] = 2

    @model_validator(mode="before")
    @classmethod
    def _decided(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if wrong := [name for name in _DECIDED if name in given]:
            raise ValueError(
                f"{', '.join(wrong)}: a training decides that itself; set 'every' and 'mode'"
            )
        return {**given, "snapshot": given.get("mode") == "async"}

    @model_validator(mode="after")
    def _is_durable(self) -> "Settings":
        if self.mode == "durable" and self.sync is SyncPolicy.NONE:
            raise ValueError("what is never synced is never durable: sync 'none' has mode 'sync'")
        return self

    @property
    def has_mark(self) -> bool:
        """Of several checkpoints it has to be known which are complete."""
        return True

    @property
    def until(self) -> str:
        """The moment of a save at which accelerators go on."""
        return "durable" if self.mode == "durable" else "blocked"

    def saved(self, request: Request, name: str, checkpoints: int) -> Phase:
        """The phase that saves so many of them. ValueError where they are too many."""
        if checkpoints > _MOST:
            raise ValueError(
                f"{checkpoints} checkpoints are more than {_MOST}: save after more steps (every)"
            )
        several = self.model_copy(update={"checkpoints": checkpoints})
        return replace(checkpoint_save.phases(several, request)[0], name=name)
