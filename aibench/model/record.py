"""What a run leaves behind: where it ran, on what, and everything it counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aibench.model.claim import System
from aibench.model.launch import Launch
from aibench.model.plan import Phase, Plan, Stage
from aibench.model.sample import Finding, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A directory on a mount, and what was true of the mount when the run began.

    Capacities are in bytes and None where the filesystem does not tell (0, or nonsense).
    ``device`` is the block device's kernel name, ``server`` the host of a network mount.
    """

    path: str
    label: str
    mount_point: str
    fstype: str
    source: str
    options: tuple[str, ...]
    device_id: str
    device: str | None = None
    server: str | None = None
    block_size: int | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    free_inodes: int | None = None

    @property
    def is_memory(self) -> bool:
        """Whether the filesystem is memory, with no storage behind it."""
        return self.fstype in ("tmpfs", "ramfs", "hugetlbfs", "devtmpfs")

    @property
    def is_network(self) -> bool:
        """Whether the kernel mounts it from a server."""
        return self.fstype in ("nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "9p", "glusterfs")

    @property
    def is_nfs(self) -> bool:
        """Whether it is a mount of the kernel's NFS client."""
        return self.fstype in ("nfs", "nfs4")

    @property
    def is_remote(self) -> bool:
        """Whether it is reached over a network, by the kernel or by a process (FUSE)."""
        return self.is_network or self.server is not None

    def is_served_by(self, *names: str) -> bool:
        """Whether the server has one of ``names`` or a loopback address."""
        addresses = [o.removeprefix("addr=") for o in self.options if o.startswith("addr=")]
        own = {"localhost", "::1", "0:0:0:0:0:0:0:1", *names}
        return any(
            address in own or address.startswith("127.")
            for address in (self.server or "", *addresses)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The client: ``key`` is what makes results comparable, ``metadata`` is the rest."""

    key: Mapping[str, str | int | float | None] = field(default_factory=dict)
    metadata: Mapping[str, str | int | float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run. ``complete`` is False where the record has no last line.

    ``reasons`` say why the run as a whole does not count: interrupted, failed, unfinished.
    ``resumes`` is the id of the run whose samples this one carries on. ``labels`` say what the run
    belongs to: of a duel its id, the pair and the side. ``launch`` is None where no MPI was.
    """

    run_id: str
    started_at: str
    aibench_version: str
    command: tuple[str, ...]
    plan: Plan
    target: Target
    environment: Environment
    system: System | None = None
    engines: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    resumes: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    launch: Launch | None = None
    samples: tuple[Sample, ...] = ()
    finished_at: str | None = None
    complete: bool = False
    reasons: tuple[Finding, ...] = ()

    def stage(self, workload: str) -> Stage:
        """The stage of ``workload``; KeyError where the plan has none."""
        for stage in self.plan.stages:
            if stage.workload == workload:
                return stage
        raise KeyError(workload)

    def phase(self, sample: Sample) -> Phase:
        """The phase that ``sample`` measured; KeyError where the plan has none."""
        for phase in self.stage(sample.workload).phases:
            if phase.name == sample.phase:
                return phase
        raise KeyError(sample.phase)
