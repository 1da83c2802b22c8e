"""What a user sees when something goes wrong: each row of spec/failures.md, by the real command."""

import io
import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import midstream
from faults import Fault, Faults
from midstream.cli import main
from midstream.store.keyring import generate_keys
from published import NAME, Published
from trusting import DAY, NOW, World

PAGE = Path(__file__).parent.parent / "spec" / "failures.md"
ROWS = {
    cells[0]: (cells[1].strip("`"), cells[2])
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| failure")
    for cells in [[cell.strip() for cell in line.strip("|").split(" | ")]]
}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's, and no pauses between attempts."""
    for name in ("MIDSTREAM_PASSPHRASE", "MIDSTREAM_NEW_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr("midstream.client.reading._PAUSE", 0.0)
    monkeypatch.setattr("midstream.session.machine._FIRST_PAUSE", 0.0)


class Place:
    """A repository, and a command that is run against it."""

    def __init__(self, made: Published, folder: Path, told: pytest.CaptureFixture[str]) -> None:
        self.made = made
        self.folder = folder
        self.repo = made.write(folder / "repo")
        self.root = folder / "root.json"
        self.root.write_bytes(made.root)
        self.output = folder / "copy.tflite"
        self._told = told

    def fetch(self, url: str | Path, name: str = NAME, *more: str) -> int:
        words = ["fetch", str(url), name, "--root", str(self.root), "-o", str(self.output)]
        return main([*words, *more])

    def publish(self, keys: Path, model: Path) -> int:
        places = ["--repo", str(self.repo), "--keys", str(keys), "--name", NAME]
        return main(["publish", str(model), *places, "--ladder", "2.5b"])

    def shows(self, row: str, code: int) -> None:
        """The message of a row was said, and the command ended with its exit code."""
        message, expected = ROWS[row]
        pattern = ".*?".join(re.escape(part) for part in message.split("…"))
        said = self._told.readouterr().err
        assert any(re.fullmatch(pattern, line) for line in said.splitlines()), said
        assert code == int(expected)


@pytest.fixture
def place(made: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(made, tmp_path, capsys)


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers everything with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port: int = sock.getsockname()[1]
        yield port


def test_no_network(place: Place) -> None:
    with taken_port() as port:
        pass
    place.shows("no network, or nobody there", place.fetch(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("status", "row"), [(404, "no repository at the address"), (500, "the origin fails")]
)
def test_an_origin_without_a_repository_or_at_fault(place: Place, status: int, row: str) -> None:
    with answering(status) as url:
        place.shows(row, place.fetch(url))


def test_another_root(place: Place) -> None:
    other = midstream.Publisher(place.folder / "other", signer=midstream.Signer(bytes(32)))
    other.publish(place.made.models[0], name=NAME, ladder=("2.5b",))
    place.root.write_bytes((place.folder / "other/1.root.json").read_bytes())
    place.shows("another repository's root", place.fetch(place.repo))


def test_another_name(place: Place) -> None:
    place.shows("another name", place.fetch(place.repo, "other"))


def test_no_such_adapter_policy(place: Place) -> None:
    code = place.fetch(place.repo, NAME, "--adapters", "city")
    place.shows("no such adapter policy", code)


def test_metadata_that_ran_out(place: Place) -> None:
    old = World(place.folder, then=NOW - 4000 * DAY)
    old.publish(NAME)
    place.root.write_bytes(old.root)
    Published(models=(), files=old.files).write(place.folder / "old")
    place.shows("metadata ran out", place.fetch(place.folder / "old"))


def test_a_damaged_unit(place: Place) -> None:
    unit = place.repo / place.made.manifest.units[-1].path
    unit.write_bytes(bytes(unit.stat().st_size))
    place.shows("a file of the repository is damaged", place.fetch(place.repo))


def test_a_damaged_timestamp(place: Place) -> None:
    (place.repo / "metadata/timestamp.json").write_bytes(b"{")
    (place.repo / "metadata/timestamp.json.repair").unlink(missing_ok=True)
    (place.repo / f"bundles/{NAME}.bundle").unlink()
    place.shows("the timestamp is damaged", place.fetch(place.repo))


def test_a_file_that_is_no_root(place: Place) -> None:
    place.root.write_text("{}")
    place.shows("a file that is no root", place.fetch(place.repo))


def test_a_full_disk(place: Place) -> None:
    place.output = place.folder / "out" / "copy.tflite"
    place.output.parent.mkdir()
    with Faults(place.output.parent, 0, Fault.FULL).installed():
        code = place.fetch(place.repo)
    place.shows("the disk is full", code)


@pytest.mark.parametrize("step", [0, 7, 30])
def test_a_full_disk_of_the_store(place: Place, step: int) -> None:
    store = place.folder / "store"
    with Faults(store, step, Fault.FULL).installed() as faults:
        code = place.fetch(place.repo, NAME, "--store", str(store))
    assert faults.happened
    place.shows("the store's disk is full", code)
    assert place.output.read_bytes() == place.made.models[0]
    assert place.fetch(place.repo, NAME, "--store", str(store)) == 0  # once there is space


def test_a_full_disk_of_the_store_is_one_error_for_scripts(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    store = place.folder / "store"
    with Faults(store, 0, Fault.FULL).installed():
        assert place.fetch(place.repo, NAME, "--store", str(store), "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"] == "STORE_FULL"


def test_a_read_only_store(place: Place) -> None:
    store = place.folder / "store"
    assert place.fetch(place.repo, NAME, "--store", str(store), "--layer", "0") == 0
    with Faults(store, 0, Fault.READ_ONLY).installed():
        code = place.fetch(place.repo, NAME, "--store", str(store))
    place.shows("the store is read-only", code)
    assert place.output.read_bytes() == place.made.models[0]


def test_passphrases_and_keys_that_are_wrong(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    model = place.folder / "model.tflite"
    model.write_bytes(place.made.models[0])
    keys = place.folder / "keys"
    generate_keys(keys, passphrase="swordfish")
    place.shows("no passphrase", place.publish(keys, model))
    monkeypatch.setenv("MIDSTREAM_PASSPHRASE", "sardine")
    place.shows("the wrong passphrase", place.publish(keys, model))
    generate_keys(place.folder / "others")
    place.shows("keys of another repository", place.publish(place.folder / "others", model))


def test_a_file_that_is_no_model(place: Place) -> None:
    generate_keys(place.folder / "keys")
    model = place.folder / "model.pt"
    model.write_bytes(b"hello")
    folders = ["--repo", str(place.folder / "new"), "--keys", str(place.folder / "keys")]
    code = main(["publish", str(model), *folders, "--name", NAME])
    place.shows("a file that is no model", code)


def test_a_port_in_use(place: Place) -> None:
    with taken_port() as port:
        code = main(["serve", str(place.repo), "--port", str(port)])
    place.shows("the port is in use", code)


def test_no_runtime(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, f"{name}.interpreter", None)
    place.shows("no runtime", main(["doctor"]))


def test_every_row_is_produced_by_a_test() -> None:
    written = set(re.findall(r'"([^"\n]+)"', Path(__file__).read_text()))
    assert len(ROWS) >= 12
    assert set(ROWS) <= written


async def test_a_library_says_the_same(place: Place) -> None:
    async with midstream.Delivery.open(str(place.repo), NAME, root=place.made.root) as delivery:
        (place.repo / "metadata/timestamp.json").write_bytes(b"{")
        with pytest.raises(midstream.MidstreamError) as caught:
            await delivery.check()
    assert f"midstream: {caught.value}" == ROWS["the timestamp is damaged"][0]
