"""The parts of the delivery benchmark that decide what it says."""

import asyncio
import importlib
import io
import random
from pathlib import Path

import pytest
from rich.console import Console

from delivery_parts import damage, verification
from delivery_parts.cache import cache_figures
from delivery_parts.carousel import carousel_figures
from delivery_parts.clients import clients_figures, measure_clients
from delivery_parts.coders import OWN, PEERS, Shape
from delivery_parts.damage import damage_figures
from delivery_parts.news import news_figures
from delivery_parts.recovery import recovery_figures
from delivery_parts.report import print_report
from delivery_parts.riding import Network
from delivery_parts.sections import figures
from delivery_parts.start import measure_start, start_figures
from delivery_parts.verification import measure_verification, verification_figures
from delivery_parts.video import CASES, measure_video, play, turn, video_figures
from delivery_parts.wire import metered
from midstream.abr import Observation
from reach.figures import Figure, Verdict
from staticservers import NGINX
from traces import Trace
from video import generate_video

SPEEDS = {name: {"encode": 1.0, "repair": 0.5} for name in PEERS}


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"a": 3.0, "b": 9.0}, Verdict.AIM),
        ({"a": 2.9, "b": 9.0}, Verdict.MUST),
        ({"a": 0.9, "b": 9.0}, Verdict.NOT),
        ({}, Verdict.NONE),
    ],
)
def test_the_worst_case_decides(values, verdict):
    figure = Figure(name="x", unit="x", must=1, aim=3, more_is_better=True, values=values)
    assert figure.verdict is verdict


def test_what_must_be_small_is_worst_where_it_is_large():
    figure = Figure(name="bytes", unit="x", must=1.15, aim=1.05, values={"a": 1.01, "b": 1.1})
    assert figure.worst == ("b", 1.1)
    assert figure.verdict is Verdict.MUST


def test_recovery_is_compared_with_the_fastest_peer_of_each_case():
    rows = SPEEDS | {"leopard": {"encode": 2.0, "repair": 0.1}}
    rows = {"16 KiB": rows | {"midstream": {"encode": 5.0, "repair": 1.0}}}
    speed, ratio = recovery_figures(rows)
    assert speed.values == {"encode, 16 KiB": 5.0, "repair, 16 KiB": 1.0}
    assert ratio.values == {"encode, 16 KiB": 2.5, "repair, 16 KiB": 2.0}
    assert (speed.verdict, ratio.verdict) == (Verdict.MUST, Verdict.MUST)


def test_all_figures_are_listed_though_nothing_was_measured():
    listed = figures({})
    assert {figure.verdict for figure in listed} == {Verdict.NONE}
    assert [figure.summary()["verdict"] for figure in listed] == ["not measured"] * len(listed)


def test_the_report_shows_each_coder_and_each_verdict():
    console = Console(file=io.StringIO(), record=True, width=160)
    rows = {"16 KiB": SPEEDS | {"midstream": {"encode": 0.25, "repair": 0.125}}}
    print_report({"recovery": rows}, console)
    text = console.export_text()
    assert "pyeclib isa_l_rs_vand" in text
    assert "0.125 GB/s" in text
    assert "not met" in text


def test_our_coder_gives_back_what_was_lost_whatever_multiplies(monkeypatch):
    pytest.importorskip("midstream.kernels._native", reason="no compiler")
    from delivery_parts.own_coder import own
    from midstream.fec import blocks

    monkeypatch.setattr(blocks, "combine_rows", blocks.combine_rows)
    shape = Shape(source=7, repair=3, size=100)
    data = random.Random(1).randbytes(700)
    for name in OWN:
        coder = own(name, shape)
        packets = coder.load(data)
        received = coder.receive(packets, coder.encode(packets), [0, 3, 6])
        assert not any(coder.packet(received[0], at) in data for at in (0, 3, 6))
        restored = coder.restore(received)
        assert b"".join(coder.packet(restored, at) for at in range(7)) == data


def test_swaps_are_told_by_their_middle_and_by_the_slowest_in_a_hundred():
    swaps = {
        f"release {release}": [late + at / 1000 for at in range(101)]
        for release, late in ((2, 0.0), (3, 0.1), (4, 9.0))
    }
    costs = {"release 2": {"clients_s": 0.01, "origin_s": 0.002}}
    alone = {"swaps": {"release 2": [0.04], "release 3": [0.06]}, "costs": costs}
    found = {"swaps": swaps, "costs": costs, "alone": alone}
    middle, slowest, own, cost = news_figures(found)
    assert middle.values == pytest.approx({"3 releases": 150.0})
    assert slowest.values == pytest.approx({"3 releases": 199.0})
    assert (middle.verdict, slowest.verdict) == (Verdict.MUST, Verdict.AIM)
    assert own.values == pytest.approx({"2 releases": 50.0})
    assert cost.values == pytest.approx({"client": 10.0, "origin": 2.0, "client alone": 10.0})


def test_bytes_and_round_trips_are_counted_both_ways():
    async def ask_twice():
        gone = asyncio.Event()

        async def answer(reader, writer):
            while question := await reader.read(100):
                writer.write(question * 2)
            writer.close()
            await writer.wait_closed()
            gone.set()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        async with metered(f"http://{host}:{port}") as wire:
            reader, writer = await asyncio.open_connection(host, int(wire.url.rpartition(":")[2]))
            for _ in range(2):
                writer.write(b"12345")
                await reader.readexactly(10)
            writer.close()
            await asyncio.gather(writer.wait_closed(), gone.wait())
        server.close()
        return wire

    wire = asyncio.run(ask_twice())
    assert (wire.asked, wire.answered, wire.bytes) == (10, 20, 30)
    assert (wire.connections, wire.round_trips) == (1, 2)


def test_a_carousel_is_judged_apart_at_low_and_at_high_loss():
    rows = [
        {"size": "6 MB", "loss": loss, "own": own, "all": 1.2}
        for loss, own in ((0.1, 1.06), (0.2, 1.07), (0.3, 1.08))
    ]
    low, high = carousel_figures(rows)
    assert (low.worst, low.verdict) == (("6 MB, 10%", 1.06), Verdict.MUST)
    assert (high.worst, high.verdict) == (("6 MB, 30%", 1.08), Verdict.AIM)
    assert "1.200 at most" in low.note


def test_what_nothing_is_asked_of_is_reported():
    assert Figure(name="x", values={"a": 3.0}).verdict is Verdict.KNOWN


def test_verification_is_told_over_the_hash_of_the_same_bytes(monkeypatch):
    monkeypatch.setattr(verification, "_SIZES", {"20 kB": 20_000})
    rows = measure_verification(1, lambda _: None)
    (figure,) = verification_figures(rows)
    assert set(figure.values) == {
        f"{label}, packets of {row['packet_size']}" for label, row in rows.items()
    }
    assert all(value > 0 for value in figure.values.values())


def flat(mbps: float) -> Trace:
    return Trace(name="flat", seconds=(0.0, 100.0, 200.0), mbps=(mbps, mbps, mbps))


def lowest(_: Observation) -> int:
    return 0


@pytest.fixture(scope="module")
def releases() -> list[Network]:
    return [Network.of(next(iter(CASES.values())), number=number) for number in (1, 2)]


def test_a_good_link_carries_the_best_network_and_no_stall(releases: list[Network]) -> None:
    video = generate_video(seed=1)
    with_, without = (play(flat(8.0), video, releases, lowest, rides=on) for on in (True, False))
    assert with_.best is not None
    assert with_.better is not None
    assert 0 < with_.better < with_.best
    assert without.best is without.better is None
    assert with_.stalled == without.stalled == 0.0
    assert with_.startup == without.startup > 0.0


def test_a_poor_link_carries_nothing_but_the_first_base(releases: list[Network]) -> None:
    video = generate_video(seed=1)
    with_, without = (play(flat(0.3), video, releases, lowest, rides=on) for on in (True, False))
    assert with_ == without
    assert with_.stalled > 0.0


def test_what_models_cost_is_told_where_they_have_the_whole_buffer(
    releases: list[Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmark can find stalls: with no low-water mark there are some."""
    outage = Trace(name="out", seconds=(0.0, 20.0, 100.0), mbps=(2.0, 2.0, 0.02))
    video = generate_video(seed=1)
    monkeypatch.setattr("delivery_parts.video.LOW_WATER", 0.0)
    monkeypatch.setattr("delivery_parts.video.SHARE", 1.0)
    with_, without = (play(outage, video, releases, lowest, rides=on) for on in (True, False))
    assert with_.stalled > without.stalled + 0.1


def test_a_trace_that_begins_elsewhere_carries_as_much() -> None:
    trace = Trace(name="t", seconds=(0.0, 1.0, 3.0, 6.0), mbps=(9.0, 1.0, 2.0, 3.0))
    assert turn(trace, 0.5) == Trace(
        name="t from 0.5", seconds=(0.0, 2.0, 5.0, 6.0), mbps=(9.0, 2.0, 3.0, 1.0)
    )


def test_without_traces_the_section_is_skipped_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    for folder in (None, tmp_path):
        results = measure_video(folder, told.append)
        listed = video_figures(results)
        assert {figure.verdict for figure in listed} == {Verdict.NONE}
        assert listed[0].note.startswith("skipped: MIDSTREAM_TRACES names no folder")
    assert all(line.startswith("video: skipped, ") for line in told)


def test_stalls_are_judged_by_the_worse_of_both_comparisons() -> None:
    row = {
        "traces": 2,
        "stalled_s": 10.0,
        "same_network": 0.4,
        "same_decisions": 0.6,
        "foreign_decisions": 9.0,
        "worst_s": 0.1,
        "startup_s": 0.2,
        "longest_startup_s": 0.3,
        "better": 2,
        "better_s": 30.0,
        "best": 0,
        "best_s": None,
    }
    judged, elsewhere, larger = video_figures({next(iter(CASES)): row})
    assert (judged.worst[1], judged.verdict) == (0.6, Verdict.NOT)
    assert "the best in none" in judged.note
    assert elsewhere.values == larger.values == {}


def test_damage_is_told_over_none_and_by_the_size_that_suffers_most():
    rows = {
        "45 kB": {"packet_size": 1024, "whole": 46_000, "damaged": 48_300.0, "seeds": 9},
        "6 MB": {"packet_size": 16384, "whole": 6_000_000, "damaged": 6_060_000.0, "seeds": 3},
    }
    (figure,) = damage_figures(rows)
    assert figure.worst == ("45 kB, packets of 1024", pytest.approx(1.05))
    assert figure.verdict is Verdict.MUST


def test_a_damaged_unit_is_fetched_whole_and_costs_more(monkeypatch):
    monkeypatch.setattr(damage, "_SIZES", {"9 kB": (9_000, 900)})
    monkeypatch.setattr(damage, "_QUICK_SEEDS", {"9 kB": 2})
    monkeypatch.setattr(damage, "_SHARE", 0.1)
    row = damage.measure_damage(True, lambda _: None)["9 kB"]
    assert row["damaged"] > row["whole"] > 9_000


def test_clients_at_once_are_counted_and_what_they_take_of_memory():
    found = measure_clients(20, lambda _: None)
    at_once, memory = clients_figures(found)
    assert at_once.values == {"whole and exact": 20}
    assert at_once.verdict is Verdict.NOT
    assert memory.values["at the most"] > 0


def test_a_start_costs_one_round_trip_at_nginx():
    if NGINX is None:
        pytest.skip("nginx is not installed")
    found = measure_start(lambda _: None)
    assert (found["round trips"], found["requests"]) == (1, 1)
    assert start_figures(found)[0].verdict is Verdict.AIM


def test_the_cache_is_only_reported():
    (figure,) = cache_figures({"origin": 1e9, "cache": 2e9})
    assert figure.values == {"warm": 2.0}
    assert figure.verdict is Verdict.KNOWN


def test_what_was_measured_is_drawn_and_nothing_else(tmp_path):
    pytest.importorskip("matplotlib")
    draw = importlib.import_module("delivery_parts.plots").draw
    draw(tmp_path / "none.png", {"damage": {}})
    assert not (tmp_path / "none.png").exists()
    rows = [{"size": "6 MB", "loss": loss, "own": 1.02, "all": 1.05} for loss in (0.01, 0.3)]
    draw(tmp_path / "some.png", {"carousel": rows, "news": {"swaps": {"release 2": [0.1, 0.3]}}})
    assert (tmp_path / "some.png").read_bytes().startswith(b"\x89PNG")
