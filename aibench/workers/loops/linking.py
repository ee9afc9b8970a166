"""Checkpoints of which only a share of the files changes: the others are links to those before."""

from collections.abc import Iterator, Sequence

from aibench.calls import Calls
from aibench.formats.files import all_paths_of
from aibench.model import Phase
from aibench.workers.log import Log


def changes(position: int, count: int, checkpoint: int, share: float) -> bool:
    """Whether of ``count`` files that at ``position`` is another one in this checkpoint.

    All are in the first one. Later ones change as many each, as near to ``share`` as whole files
    allow and one at least where it is not 0, and take turns.
    """
    if checkpoint == 0 or share == 1:
        return True
    changed = max(round(share * count), 1) if share else 0
    return (position - (checkpoint - 1) * changed) % count < changed


class Links:
    """Tells files that change from those that don't, and links the latter."""

    def __init__(self, phase: Phase, calls: Calls, log: Log, root: int) -> None:
        self._phase, self._calls, self._log, self._root = phase, calls, log, root
        self._each = phase.population.files // phase.checkpoints
        self._linked: Sequence[int] = ()

    def split(self, shards: Sequence[int], checkpoint: int) -> list[int]:
        """Those of a rank's files that are to be written; the others `make` links."""
        count, share = len(shards), self._phase.changed
        written = [file for k, file in enumerate(shards) if changes(k, count, checkpoint, share)]
        self._linked = sorted(set(shards) - set(written))
        return written

    def make(self) -> Iterator[bytes]:
        """Link the files that did not change under their new names; yields each name before."""
        calls, root, population = self._calls, self._root, self._phase.population
        for file in self._linked:
            began = calls.clock()
            olds = all_paths_of(population, file - self._each)
            for old, new in zip(olds, all_paths_of(population, file), strict=True):
                yield new.encode()
                calls.link(old.encode(), new.encode(), src_dir_fd=root, dst_dir_fd=root)
            self._log.note("link", [calls.clock() - began])
