"""The tiles' port by itself: how many may come at once, who waits for whom, and what stands outside the directory."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from keybroker.errors import BrokerStopping
from keybroker.server.tile_server import CONNECTIONS, TileServer
from tests.server.broker import wait_until


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """A port; one bundle of entries is there, and one file that is nobody's."""
    (tmp_path / "tiles" / "tile" / "entries").mkdir(parents=True)
    (tmp_path / "tiles" / "checkpoint").write_text("a checkpoint\n")
    (tmp_path / "tiles" / "tile" / "entries" / "000").write_bytes(b"\x00\x01x")
    (tmp_path / "secret").write_text("secret")
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
    with TileServer(tmp_path / "tiles", f"127.0.0.1:{port}", entries=False):
        yield port


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_refuses_a_port_that_another_has(served: int, tmp_path: Path) -> None:
    with pytest.raises(BrokerStopping, match="cannot be had"):
        TileServer(tmp_path, f"127.0.0.1:{served}", entries=False)


def test_entries_that_lie_there_are_not_served_where_they_are_not_published(served: int, tmp_path: Path) -> None:
    assert status(served, "/tile/entries/000") == 404
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    with TileServer(tmp_path / "tiles", f"127.0.0.1:{port}", entries=True):
        assert status(port, "/tile/entries/000") == 200


@pytest.mark.parametrize("path", ["/../secret", "/tile/../../secret", "//secret", "/%2e%2e/secret", "secret"])
def test_nothing_beside_the_directory_is_reached(served: int, path: str) -> None:
    with socket.create_connection(("127.0.0.1", served), timeout=5) as raw:
        raw.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    assert b" 404 " in answer.split(b"\r\n")[0]
    assert b"secret" not in answer


def test_whoever_is_one_too_many_is_sent_away_and_may_come_again(served: int) -> None:
    idle = [socket.create_connection(("127.0.0.1", served), timeout=5) for _ in range(CONNECTIONS)]
    try:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            status(served, "/checkpoint")
    finally:
        for each in idle:
            each.close()

    def answers() -> bool:
        try:
            return status(served, "/checkpoint") == 200
        except (http.client.RemoteDisconnected, ConnectionError):
            return False

    wait_until(answers, seconds=10)


def test_serves_what_is_there(served: int) -> None:
    assert status(served, "/checkpoint") == 200
