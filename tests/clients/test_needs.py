"""How many clients a claim takes, by hand: links, processors, units, sizes, and what has none."""

import math
from dataclasses import replace
from typing import Any

import pytest

from aibench.clients import Answer, Ceiling, Client, Link, Need, Task, needs
from aibench.clients.answers import _BEYOND
from aibench.clients.bounds import ALONE, HEADROOM, PROOF
from aibench.clients.calls import calls
from aibench.definition.claims import shipped_claims
from aibench.judge import gates, trials
from aibench.metrics import CLIENT_BOUND_BELOW
from aibench.model import Baseline, BaselineSource, Claim, ClaimKind, Interpretation, Means
from tests import build

CATALOGUE = {c.id: c for c in shipped_claims()}
GIB = 2**30
#: 400 Gbit/s, of which 45 GB/s carry data; a million small reads a second.
CLIENT = Client(
    link=Link(rate=50e9, source="test"),
    cores=16,
    memory_bytes=256 * GIB,
    ceilings={
        ("block", "rand-read"): Ceiling(operations=1e6, source="given"),
        ("load", "epoch"): Ceiling(operations=400_000, source="given"),
    },
)


def blocks(phase: str, size: int) -> Task:
    """A phase of the block workload with 16 jobs, each with a file of 16 GiB, for two minutes."""
    return Task(
        workload="block", kind="block", phase=phase, operation_bytes=size, files=16,
        file_bytes=16 * GIB, writes="write" in phase, each_client=True, runtime_ns=120 * 10**9,
    )  # fmt: skip


def once(kind: str, phase: str, **more: Any) -> Task:
    """A phase that ends with its data: a million files of 100 kB."""
    parts = {"operation_bytes": 100_000, "files": 10**6, "file_bytes": 100_000}
    return Task(workload=f"a-{kind}", kind=kind, phase=phase, **parts | more)


TESTS = {
    (test.kind, test.phase): test
    for test in (
        blocks("seq-read", 2**20),
        blocks("seq-write", 2**20),
        blocks("rand-read", 4096),
        once("load", "epoch"),
        once("load", "rate-*"),
        once("train", "accelerators-*", accelerator_rate=3.2e9, accelerators=(1, 2, 4, 8)),
        once("checkpoint_load", "load"),
        once("checkpoint_save", "save"),
        once("preprocess", "preprocess"),
        once("ingest", "verify"),
    )
}


def needed(claim: Claim | str, client: Client = CLIENT, **more: Any) -> tuple[Need, ...]:
    """What all readings of a claim, or of a shipped one by its id, take."""
    found = CATALOGUE[claim] if isinstance(claim, str) else claim
    return needs(found, client, TESTS, tuple(CATALOGUE.values()), **more)


def own(**changes: Any) -> Claim:
    """A claim of a user."""
    parts: dict[str, Any] = {
        "id": "OWN", "title": "own", "vendor": "V", "product": "P", "quote": "q", "source": "s",
        "date": "2026", "metric": "read_bandwidth", "direction": ">=", "unit_as_printed": "GB/s",
        "unit": "B/s", "scope": "node", "phases": (("block", "seq-read"),),
        "interpretations": (Interpretation(id="own", value=20e9),),
    }  # fmt: skip
    return Claim(**parts | changes)


@pytest.mark.parametrize(
    ("claim", "clients", "to_refute", "bounds"),
    [
        # 400 GB/s x 1.25 over 45 GB/s is 11.1
        ("A3-03", 12, 12, {"link": 12}),
        # 12 M x 1.25 over 1 M; x 2 to refute; 61.4 GB/s over 45 GB/s
        ("A3-04", 15, 24, {"link": 2, "harness": 15}),
        ("H3-01", 1, 2, {"link": 1}),
        ("H3-02", 1, 2, {"link": 1, "harness": 1}),
        # 90 and 50 GB/s: 112.5 and 62.5 over 45
        ("MT-07", 3, 3, {"link": 3}),
        ("MT-08", 2, 2, {"link": 2}),
        # 125 TB/s over 45 GB/s is 2777.8, for all 512 controllers
        ("HX-04", 2778, 2778, {"link": 2778}),
        ("HX-05", 12500, 20000, {"link": 1138, "harness": 12500}),
    ],
)
def test_rates(claim: str, clients: int, to_refute: int, bounds: dict[str, int]) -> None:
    """A rate takes clients that can do 1.25 times as much; a single one never refutes it."""
    need = needed(claim)[0]
    assert (need.answer, need.clients, need.to_refute) == (Answer.CLIENTS, clients, to_refute)
    assert {bound.what: bound.clients for bound in need.bounds} == bounds


def test_all_units_of_a_mount_are_driven() -> None:
    """Where four nodes serve the mount, four times the figure of a node is asked of it."""
    system = build.system(units=4)
    (read, write) = needed("H3-01", system=system)
    assert (read.units, read.figure, read.clients) == (4, 80e9, 3)  # 100 GB/s over 45
    assert write.claim.metric == "write_bandwidth"
    other = replace(system, unit="rack")
    assert needed("H3-01", system=other)[0].units == 1


def test_data_is_more_than_memory_holds() -> None:
    """Reads go over five times the memory of all clients, in files that the workload asks for."""
    need = needed("A3-03")[0]
    assert need.data_bytes == 5 * 256 * GIB * 12
    assert need.settings == ("file_size=80GiB",)  # 16 jobs of 12 clients
    small = replace(CLIENT, memory_bytes=16 * GIB)
    need = needed("A3-03", small)[0]
    assert need.settings == ()
    assert need.data_bytes == 12 * 16 * 16 * GIB  # what the workload has without being asked
    unknown = replace(CLIENT, memory_bytes=None)
    assert needed("A3-03", unknown)[0].data_bytes is None


def test_data_lasts_for_a_minute_and_passes_the_servers_cache() -> None:
    """An epoch lasts a minute at the claimed rate; writes are twice the server's cache."""
    files = own(unit="op/s", metric="files_per_second", phases=(("load", "epoch"),),
                interpretations=(Interpretation(id="own", value=1e6),))  # fmt: skip
    need = needed(files, replace(CLIENT, memory_bytes=GIB))[0]
    assert need.clients == 4  # 1.25 M over 400 k files/s; 125 GB/s over 45 GB/s is 3
    assert need.data_bytes == 60 * 100_000 * 10**6
    assert need.settings == ("files=60000000",)
    cache = build.system(server_cache_bytes=64 * 2**40)
    assert needed("H3-01", system=cache)[1].data_bytes == 128 * 2**40
    assert (needed("H3-01", system=cache)[0].data_bytes or 0) < 128 * 2**40


def test_scaling_takes_sizes() -> None:
    """Growth takes 1, 2, 4 and 8 units, each with the clients for the figure of so many units."""
    read = needed("H3-03")[0]
    assert read.answer is Answer.LEVELS
    assert [(level.size, level.clients) for level in read.levels] == [
        (1, 1),
        (2, 2),
        (4, 3),
        (8, 5),
    ]
    storage = needed("MT-09")[0]
    assert [level.clients for level in storage.levels] == [3, 5, 10, 20]  # 112.5 GB/s each over 45
    assert "needs_more_units" in read.reasons
    fewer = needed("H3-03", system=build.system(units=3))[0]
    assert [level.size for level in fewer.levels] == [1, 2, 3]
    alone = needed("H3-03", system=build.system(units=2))[0]
    assert "level_not_tested" in alone.reasons


def test_scaling_along_other_axes() -> None:
    """Clients, workers and accelerators grow by themselves, and take as many clients as that is."""
    for axis, clients in (("clients", [1, 2, 4, 8]), ("workers", [1, 1, 1, 1])):
        claim = own(kind=ClaimKind.SCALING, unit="1", axis=axis,
                    interpretations=(Interpretation(id="own", value=0.9),))  # fmt: skip
        need = needed(claim)[0]
        assert [level.clients for level in need.levels] == clients
        (run,) = calls(need, None, None)
        name = {"clients": "hosts", "workers": "jobs"}[axis]
        assert run[run.index("--sweep") + 1] == f"{name}=1,2,4,8"
    slow = replace(CLIENT, link=Link(rate=10e9, source="test"))
    levels = needed("IN-09", slow)[0].levels  # 4 GB/s each over 9 GB/s
    assert [(level.size, level.clients) for level in levels] == [(1, 1), (2, 1), (4, 2), (8, 4)]


def test_utilisation_tells_what_a_link_feeds() -> None:
    """Emulated accelerators take one client, or as many as their data needs of links."""
    slow = replace(CLIENT, link=Link(rate=10e9, source="test"))
    for need in needed("A3-08", slow):
        assert (need.answer, need.clients) == (Answer.ONE, 1)
        assert [level.clients for level in need.levels] == [1, 1, 2, 4]


@pytest.mark.parametrize(
    ("metric", "percentile", "operations"),
    [
        ("latency_p99", None, 10_000),
        ("latency_p99.9", None, 100_000),
        ("read_latency_p50", None, 200),
        ("latency_quantile", 90.0, 1000),
        ("latency_mean", None, None),
    ],
)
def test_latency_takes_operations(
    metric: str, percentile: float | None, operations: int | None
) -> None:
    """A latency takes one client, and a hundred operations beyond its percentile in each run."""
    below = (Interpretation(id="own", value=10**6),)
    claim = own(kind=ClaimKind.LATENCY, metric=metric, direction="<=", unit="ns",
                percentile=percentile, interpretations=below)  # fmt: skip
    (need,) = needed(claim)
    assert (need.answer, need.clients, need.operations) == (Answer.ONE, 1, operations)


def test_the_slowest_ever_is_never_shown() -> None:
    """A latency that nothing ever exceeds can only be refuted, which is said."""
    claim = own(kind=ClaimKind.LATENCY, metric="latency_max", direction="<=", unit="ns")
    assert needed(claim)[0].reasons == ("maximum_not_provable",)


def test_ratios_take_two_sides() -> None:
    """A ratio takes a baseline, a later epoch or shards, and six pairs rather than clients."""
    for name, reasons, settings in (
        ("HX-02", ("no_baseline",), ()),
        ("IN-08", (), ("epochs=3",)),
        ("HX-13", (), ()),
    ):
        need = needed(name)[0]
        assert (need.answer, need.reasons, need.settings) == (Answer.SIDES, reasons, settings)
        assert need.runs == 6


@pytest.mark.parametrize(
    ("claim", "answer", "reasons"),
    [
        ("HX-14", Answer.ONE, ("needs_second_protocol",)),
        ("FC-01", Answer.NEVER, ("deployment",)),
        ("G4-02", Answer.NEVER, ("historical_fact",)),
        ("A3-09", Answer.NEVER, ("other_sites",)),
        ("HX-10", Answer.MODEL, ("model_projection",)),
        ("A3-01", Answer.MODEL, ("model_projection",)),
        ("A3-07", Answer.LACKING, ("needs_vendor_runtime",)),
        ("IN-10", Answer.LACKING, ("needs_cluster",)),
    ],
)
def test_what_is_no_matter_of_clients(claim: str, answer: Answer, reasons: tuple[str, ...]) -> None:
    """What no number of clients tests says so by the judge's own reason."""
    for need in needed(claim):
        assert (need.answer, need.reasons) == (answer, reasons)


def test_what_the_rig_provides_is_not_lacking() -> None:
    """A runtime that the system file names makes a claim on it testable."""
    system = build.system(extra={"provides": "vendor runtime"})
    assert needed("A3-07", system=system)[0].answer is Answer.SIDES


def test_no_number_is_no_demand() -> None:
    """A claim without a number says that none is printed."""
    claim = own(testability=Means.MODEL, interpretations=(Interpretation(id="own", value=None),))
    assert needed(claim)[0].reasons == ("no_number",)


def test_one_client_alone() -> None:
    """A figure of one client is tested by one, and a drive of its own takes no link."""
    of_client = own(scope="client", interpretations=(Interpretation(id="own", value=40e9),))
    (need,) = needed(of_client)
    assert (need.clients, need.to_refute, need.bounds[0].clients) == (1, 1, 2)  # 50 over 45
    (drive,) = needed(own(scope="drive"), replace(CLIENT, link=Link(rate=None, source="test")))
    assert (drive.clients, drive.to_refute, drive.bounds) == (1, 1, ())


def test_an_unknown_link_decides_nothing() -> None:
    """Without the speed of a link no number of clients is told, however many processors ask for."""
    unknown = replace(CLIENT, link=Link(rate=None, source="test"))
    need = needed("A3-04", unknown)[0]
    assert (need.clients, need.to_refute, need.data_bytes) == (None, None, None)
    assert [bound.what for bound in need.bounds] == ["harness"]
    assert "N" in calls(need, None, None)[0]
    assert {level.clients for level in needed("H3-03", unknown)[0].levels} == {None}


def test_runs() -> None:
    """Five runs decide with 5 % of tolerance where they spread by 3 %, ten where by 5 %."""
    need = needed("A3-03")[0]
    assert (need.runs, need.runs_if_noisy) == (5, 10)
    assert needed(own(smallest_n=12))[0].runs == 12
    exact = needed(own(tolerance=0.0))[0]
    assert (exact.runs, exact.runs_if_noisy) == (5, None)


def test_constants_are_those_of_the_judge() -> None:
    """What is planned for is what the judge then asks for."""
    assert HEADROOM == CLIENT_BOUND_BELOW
    assert PROOF == gates.PROOF_FROM
    assert ALONE == gates.ONE_CLIENT_SCOPES
    assert _BEYOND == trials._BEYOND


def test_more_never_takes_fewer() -> None:
    """A larger figure or a slower link never takes fewer clients, whatever the rounding."""
    seen = 0
    for step in range(1, 400):
        (need,) = needed(own(interpretations=(Interpretation(id="own", value=1e9 * step),)))
        assert need.clients is not None
        assert need.clients >= seen
        assert need.clients == max(math.ceil(1e9 * step * 1.25 / 45e9 - 1e-9), 1)
        seen = need.clients


def test_command_lines() -> None:
    """Each kind of answer ends with the commands that test it, in their order."""
    lines = {name: calls(needed(name)[0], "/mnt/x", "s.toml") for name in CATALOGUE}
    assert lines["FC-01"] == lines["A3-07"] == ()
    (run,) = lines["A3-03"]
    assert run[:7] == ("mpirun", "-n", "12", "--hostfile", "hosts", "--bind-to", "none")
    assert run[7:12] == ("aibench", "run", "/mnt/x", "-w", "block")
    assert run[-4:] == ("--system", "s.toml", "--claims", "A3-03")
    assert [words[1] for words in lines["HX-14"]] == ["run", "verify", "judge"]
    assert [words[1] for words in lines["HX-02"]] == ["duel", "judge"]
    assert lines["H3-03"][0][:3] == ("mpirun", "-n", "5")
    assert lines["H3-03"][1][2:6] == ("RUN-1", "RUN-2", "RUN-4", "RUN-8")
    assert "--rate" in lines["MT-05"][0]
    own_epochs = replace(CATALOGUE["IN-08"], baseline=Baseline(source=BaselineSource.FIRST_EPOCH))
    assert "epochs=3" in calls(needed(own_epochs)[0], None, None)[0]
