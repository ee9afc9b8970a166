"""What reports tell of the hosts and ranks of a run."""

import json
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aibench import frames
from aibench.model import Operation, SyncPolicy
from aibench.reporters import hosts, hosts_plots, html, markdown, prometheus, samples, terminal
from aibench.reporters.document import document
from tests import build
from tests.reporters.golden import assert_golden
from tests.reporters.together import run


def phase_of(found: dict[str, Any]) -> dict[str, Any]:
    """The only phase of a document."""
    phase: dict[str, Any] = found["workloads"][0]["phases"][0]
    return phase


def test_terminal_as_a_whole() -> None:
    """With few hosts the terminal tells all of them, in 80 columns; compared with a file."""
    text = terminal.render(document(run(), ()))
    assert max(map(len, text.splitlines())) <= 80
    assert_golden("terminal_hosts.txt", text)


def test_markdown_as_a_whole() -> None:
    """With many hosts a pull request is told the slowest, the middle and the fastest of them."""
    assert_golden("hosts.md", markdown.render(document(run(hosts=12, slow=5), ())))


def test_who_measured() -> None:
    """The head of every report says how many ranks and hosts there were, and with which MPI."""
    assert hosts.launched(document(run(), ())) == "8 ranks on 4 hosts, Open MPI 4.1.4"
    assert hosts.launched(document(run(hosts=1), ())) == "2 ranks on n0, Open MPI 4.1.4"
    assert hosts.launched(document(build.record(), ())) == ""


def test_hosts_of_a_phase() -> None:
    """Each host has its own counts, times, share, evidence and how busy it was, slowest first."""
    phase = phase_of(document(run(slow=2), ()))
    rows = phase["samples"][0]["hosts"]
    assert [row["host"] for row in rows] == ["n2", "n1", "n3", "n0"]
    slow = rows[0]
    assert (slow["ranks"], slow["workers"], slow["bytes"], slow["last_rank"]) == (
        2,
        4,
        4 * 10**9,
        5,
    )
    assert slow["share"] == 0.25
    assert slow["rate"] == pytest.approx(
        slow["bytes"] * 10**9 / (slow["end_ns"] - slow["start_ns"])
    )
    assert slow["evidence"]["delivered_share"] == 0.97
    assert (slow["client"]["card"], slow["client"]["card_rate"]) == ("eth0", 9e8)
    assert phase["samples"][0]["telemetry_host"] == "n2"
    assert sum(row["share"] for row in rows) == 1


def test_the_straggler_is_told_once() -> None:
    """The slow host is named in the findings, in the table and in the times of the last done."""
    phase = phase_of(document(run(slow=2), ()))
    text = " ".join(finding["message"] for finding in phase["warnings"])
    assert text.count("host n2 was the straggler") == 1
    assert "n2, the last of 4 hosts, after 2.68 s" in next(iter(hosts.told(phase)))


def test_stonewall_beside_the_throughput() -> None:
    """The stonewall figure says until when and how exactly, and never takes the place of all."""
    phase = phase_of(document(run(slow=2), ()))
    told = list(hosts.told(phase))[1]
    assert told.startswith("all ranks did 5.98 GB/s over the whole time, and 13.3 GB/s until the")
    assert told.endswith("(rank 0 on n0 was done after 1.00 s; the series has intervals of 250 ms)")
    main = {metric["name"] for metric in phase["metrics"] if metric["main"]}
    assert "read_bandwidth" in main
    assert not any("stonewall" in name for name in main)
    soon = phase | {"samples": [dict(s) for s in phase["samples"]]}
    for each in soon["samples"]:
        each["stonewall"] = each["stonewall"] | {"elapsed_ns": 0}
    assert "too soon for a stonewall figure" in list(hosts.told(soon))[1]


def test_one_host_needs_no_table() -> None:
    """Ranks of one host have no table of hosts, but a stonewall figure and the missing guard."""
    found = document(run(hosts=1, ranks=4, slow=9), ())
    phase = phase_of(found)
    assert hosts.middle(phase) is None
    assert hosts_plots.rates(phase) is None
    assert len(list(hosts.told(phase))) == 1
    assert [w["code"] for w in found["run"]["warnings"]] == ["own_reads"]


@pytest.mark.parametrize(("number", "most", "expected"), [(8, 8, 8), (9, 8, 5), (65, 64, 20)])
def test_some_of_many(number: int, most: int, expected: int) -> None:
    """Of many hosts the slowest, the middle and the fastest are told; of few all are."""
    rows = [{"host": f"n{n}"} for n in range(number)]
    found = hosts.chosen(rows, most)
    assert len(found) == expected
    assert found[0] == ("slowest", {"host": "n0"})
    assert found[-1] == ("fastest", {"host": f"n{number - 1}"})
    if number > most:
        assert ("median", {"host": f"n{(number - 1) // 2}"}) in found


def test_plots_of_hosts() -> None:
    """Rates rise from the slowest host; with many hosts quantiles are drawn, few points each."""
    few = hosts_plots.rates(phase_of(document(run(slow=2), ())))
    assert few is not None
    assert few["data"][0]["x"] == ["n2", "n1", "n3", "n0"]
    many = phase_of(document(run(hosts=100, ranks=1, slow=7), ()))
    drawn, ends = hosts_plots.rates(many), hosts_plots.ends(many)
    assert drawn is not None
    assert ends is not None
    for trace in (*drawn["data"], *ends["data"]):
        assert len(trace["x"]) == len(trace["y"]) == len(trace["hovertext"]) == 65
        assert (trace["x"][0], trace["x"][-1]) == (0, 100)
    assert drawn["data"][0]["y"] == sorted(drawn["data"][0]["y"])
    assert all(trace["y"] == sorted(trace["y"], reverse=True) for trace in ends["data"])
    assert "n7, last done" in ends["data"][0]["hovertext"][0]
    assert hosts_plots.ends(phase_of(document(run(), ()))) is None


def test_page_of_hosts() -> None:
    """The page has the hosts' table with evidence, and the hosts of the run with their clocks."""
    page = html.render(document(run(), ()))
    assert "8 ranks on 4 hosts, Open MPI 4.1.4" in page
    assert "Host by host, repeat 2, the slowest first" in page
    assert "-77.0 ms ± 15.0 µs" in page
    assert "kernel 6.1" in page


def test_hostile_names() -> None:
    """A host with markup in its name is text on the page, in the plot and in Markdown."""
    record = run()
    name = "<b>x</b>|%{y}"
    samples_ = tuple(
        replace(
            each,
            hosts=tuple(replace(h, host=name if h.host == "n1" else h.host) for h in each.hosts),
            measurement=replace(
                each.measurement,
                workers=tuple(
                    replace(w, host=name if w.host == "n1" else w.host)
                    for w in each.measurement.workers
                ),
            ),
        )
        for each in record.samples
    )
    found = document(replace(record, samples=samples_), ())
    assert "<b>x" not in html.render(found)
    assert "%{y}" not in json.dumps(hosts_plots.rates(phase_of(found)))
    assert "<b>x" not in markdown.render(found)


def test_prometheus_tells_only_sums() -> None:
    """Prometheus is told how many hosts and ranks there were, and no series of a single host."""
    text = prometheus.render(document(run(), ()))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["aibench_client_hosts"].samples[0].value == 4
    assert families["aibench_ranks"].samples[0].value == 8
    assert "n2" not in text
    assert "aibench_ranks" not in prometheus.render(document(build.record(), ()))


def test_tidy_rows_tell_hosts_and_ranks() -> None:
    """Each row of a table has how many hosts and ranks it is of, 1 without MPI."""
    together, alone = (frames.figures([document(r, ())]) for r in (run(), build.record()))
    assert set(zip(together["hosts"], together["ranks"], strict=True)) == {(4, 8)}
    assert set(zip(alone["hosts"], alone["ranks"], strict=True)) == {(1, 1)}
    assert "stonewall_read_bandwidth" in set(together["metric"])


def test_writes_have_no_cache() -> None:
    """Of hosts that write no state of a cache is told."""
    record = run()
    save = build.phase(operation=Operation.WRITE_FILES, processes=16, sync=SyncPolicy.END)
    writing = replace(
        record,
        plan=build.plan(build.stage(phases=(save,))),
        samples=tuple(
            replace(s, evidence=None, hosts=tuple(replace(h, evidence=None) for h in s.hosts))
            for s in record.samples
        ),
    )
    found = document(writing, ())
    cells = hosts.cells(phase_of(found)["samples"][0]["hosts"][0])
    assert (cells["cache"], cells["delivered"]) == ("–", "–")
    assert "Cached before" not in html.render(found)


@pytest.mark.slow
def test_ten_thousand_ranks() -> None:
    """A report of 10,000 ranks on 1,250 hosts is as large as one of a few, and holds no worker."""
    found = document(run(hosts=1250, ranks=8, per_rank=1, slow=17, repeats=2), ())
    small = document(run(repeats=2), ())
    assert phase_of(found)["samples"][0]["workers"] == []
    assert samples.MOST_WORKERS < 10_000
    for render in (html.render, markdown.render, terminal.render):
        assert len(render(found)) < 1.05 * len(render(small)) + 40_000
    assert "host n17 was the straggler" in terminal.render(found)
