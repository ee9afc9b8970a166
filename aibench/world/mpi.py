"""The carrier over MPI: the only code that imports mpi4py, in a process that never forks after it.

One thread speaks (``MPI_THREAD_SINGLE``), and it never waits inside MPI: what is sent is on its way
until a later call finds that it has gone, and what comes is taken when it is there.
"""

import warnings
from collections import deque
from contextlib import suppress
from typing import Any

from aibench.errors import Refused, RunFailed
from aibench.world.launch import Launch

#: No message is longer than this; what is longer goes in parts.
_PART = 1 << 26
_LAST, _MORE = 0, 1
#: Libraries of another family than Open MPI's.
_NOT_OPEN = ("MPICH", "Intel(R) MPI", "MVAPICH")


class MpiCarrier:
    """Takes bytes from rank to rank, in order between any two."""

    def __init__(self, launch: Launch) -> None:
        """Call ``MPI_Init``; `Refused` where launcher and library don't belong together."""
        self._mpi = _loaded()
        if launch.launcher == "Open MPI" and any(name in self.library for name in _NOT_OPEN):
            raise _mixed(
                launch, f"is {self.library}"
            )  # which would end this process without a word
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # mpi4py guesses what is said below
            self._mpi.Init()
        self._comm: Any = self._mpi.COMM_WORLD
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self._going: list[tuple[Any, memoryview]] = []
        self._coming: deque[tuple[int, int, Any, bytearray]] = deque()
        self._parts: dict[int, bytearray] = {}
        self._lost: list[tuple[int, str]] = []
        if (self.size, self.rank) != (launch.size or self.size, launch.rank):
            library = self.library
            self._mpi.Finalize()
            raise _mixed(launch, f"({library}) knows of {self.size}")

    @property
    def library(self) -> str:
        """The MPI library that is loaded, with its version."""
        told: str = self._mpi.Get_library_version()
        first = told.partition(",")[0].split("\n")[0].replace("Version:", "")
        return " ".join(first.split())

    def send(self, rank: int, data: bytes) -> None:
        """Put ``data`` on its way to ``rank``; it must not be changed any more."""
        whole = memoryview(data)
        for start in range(0, len(whole), _PART):
            part = whole[start : start + _PART]
            tag = _MORE if start + _PART < len(whole) else _LAST
            try:
                request = self._comm.Isend([part, self._mpi.BYTE], dest=rank, tag=tag)
            except self._mpi.Exception as error:
                self._lost.append((rank, str(error)))
                return
            self._going.append((request, part))

    @property
    def is_flushed(self) -> bool:
        """Whether all has been taken from here; `receive` makes progress."""
        return not self._going

    def receive(self) -> list[tuple[int, bytearray]]:
        """What has come, with the rank that it is from."""
        self._let_go()
        status = self._mpi.Status()
        while len(self._coming) < 256:  # so many buffers may be open at once
            message = self._comm.Improbe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG, status)
            if message is None:
                break
            buffer = bytearray(status.Get_count(self._mpi.BYTE))
            request = message.Irecv([buffer, self._mpi.BYTE])
            self._coming.append((status.Get_source(), status.Get_tag(), request, buffer))
        came = []
        while self._coming and self._coming[0][2].Test():
            source, tag, _, buffer = self._coming.popleft()
            if source in self._parts or tag == _MORE:
                buffer = self._joined(source, buffer)
            if tag == _LAST:
                self._parts.pop(source, None)
                came.append((source, buffer))
        return came

    def _joined(self, source: int, part: bytearray) -> bytearray:
        whole = self._parts.setdefault(source, bytearray())
        whole += part
        return whole

    def _let_go(self) -> None:
        if self._going:
            kept = []
            for request, part in self._going:
                with suppress(self._mpi.Exception):  # silence tells of who is gone
                    if not request.Test():
                        kept.append((request, part))
            self._going = kept

    def lost(self) -> list[tuple[int, str]]:
        """The ranks that MPI itself could not reach since the last call, and what it said."""
        lost, self._lost = self._lost, []
        return lost

    def close(self) -> None:
        """Leave together with all others (``MPI_Finalize``)."""
        with suppress(self._mpi.Exception):
            self._mpi.Finalize()

    def abort(self, code: int) -> None:
        """End all ranks, also those that answer no more."""
        self._comm.Abort(code)


def _mixed(launch: Launch, what: str) -> Refused:
    count = "several" if launch.size is None else launch.size
    return Refused(
        f"the launcher ({launch.launcher}) started {count} processes, but the MPI library that "
        f"mpi4py loads {what}: use the launcher of that library, or an mpi4py for the launcher's "
        "(MPI4PY_MPIABI and LD_LIBRARY_PATH choose one)"
    )


def _loaded() -> Any:
    """The module ``mpi4py.MPI``; `RunFailed` where no MPI library can be loaded."""
    import mpi4py

    mpi4py.rc(initialize=False, finalize=False, threads=False)
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise RunFailed(
            f"mpi4py can't load an MPI library ({reason}): install one where it is found, such as "
            "the package openmpi-bin of the distribution, or pip install mpich"
        ) from error
    return MPI
