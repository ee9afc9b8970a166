"""What limits a real NFS mount, against what holds it up."""

from pathlib import Path

import pytest

from aibench.insight import why
from tests.labs import nfs
from tests.labs.nfs_session import WIRE_MBIT
from tests.labs.test_nfs_aibench import Session, only

pytestmark = [
    pytest.mark.mounts,
    pytest.mark.slow(30),
    pytest.mark.machine,
    nfs.requires_nfs("ganesha"),
]


def limiter(session: Session, name: str) -> str:
    """What limited the one sample of a run."""
    record, sample = session.record(name), only(session, name)
    found = why(record.phase(sample), sample, record.target, record.environment)
    return found.limiter


def test_limiter_of_a_slow_wire(tmp_path: Path) -> None:
    """A slow wire is the server's or the way's, and the network's once its rate is known."""
    options = {"server": "ganesha", "bandwidth": f"{WIRE_MBIT}mbit"}
    session = Session(tmp_path, "limited", **options)
    assert limiter(session, "read") == "server"
    assert limiter(session, "told") == "network"
    for name, expected in (("read", False), ("told", True)):
        warned = {warning.code for warning in only(session, name).warnings}
        assert ("nic_bound" in warned) is expected


def test_limiter_of_few_slots(tmp_path: Path) -> None:
    """Where more workers than slots send requests, what they wait for is a slot."""
    session = Session(tmp_path, "slots", server="ganesha", latency=10)
    assert limiter(session, "waiting") == "slots"
