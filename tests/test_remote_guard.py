"""No connection is made to an address that may not be called, however it is written or reached."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from fediverse.remote import AddressGuard, Refused, Remote, RemoteError, Unreachable
from fediverse.remote.names import socket_factory
from tests.support.wire import AP, Wire, answer, certificate, listening, words

SPELLINGS = words("""
127.0.0.1 127.0.0.2 127.1 2130706433 0x7f000001 0177.0.0.1 017700000001 127.0.0.1. localhost LOCALHOST. 0.0.0.0 0
[::ffff:127.0.0.1] [::ffff:7f00:1] [::1] [::] [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] １２７.0.0.1 127。0。0。1
""")

Call = Callable[[Remote, str], Awaitable[object]]
CALLS: dict[str, Call] = {
    "document": lambda remote, url: remote.get_document(url, sign=None),
    "json": lambda remote, url: remote.get_json(url),
    "bytes": lambda remote, url: remote.get_bytes(url, max_bytes=1000, accept="image/*", types=["image/png"]),
    "post": lambda remote, url: remote.post(url, b"{}", {}),
}


@pytest.fixture
async def canary() -> AsyncIterator[Wire]:
    """Listens on every loopback address, IPv6 too where there is any; nothing may ever call it."""
    host = "::" if socket.has_ipv6 and _has_ipv6() else "0.0.0.0"
    async with listening(host) as v6, listening("0.0.0.0", port=v6.port if host == "::" else 0) as v4:
        v4.accepted = v6.accepted
        yield v4


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
async def peer() -> AsyncIterator[Wire]:
    async with listening() as wire:
        yield wire


@pytest.fixture
async def remote(peer: Wire) -> AsyncIterator[Remote]:
    """A client that may call the peer only."""
    guard = AddressGuard(f"127.0.0.1:{peer.port}")
    async with Remote.open(guard=guard, user_agent="test") as opened:
        yield opened


@pytest.mark.attack("SSRF-01", "SSRF-02")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_no_spelling_of_loopback_is_dialled(call: Call, remote: Remote, canary: Wire) -> None:
    for spelling in SPELLINGS:
        for scheme in ("http", "https"):
            with pytest.raises((Refused, Unreachable)):
                await call(remote, f"{scheme}://{spelling}:{canary.port}/x")
    assert canary.accepted == []


@pytest.mark.attack("SSRF-02")
async def test_no_spelling_of_loopback_is_dialled_for_a_handle(remote: Remote, canary: Wire) -> None:
    for spelling in SPELLINGS:
        with pytest.raises((Refused, Unreachable)):
            await remote.resolve_handle("alice", f"{spelling}:{canary.port}")
    assert canary.accepted == []


async def test_the_canary_does_sing_where_calling_it_is_allowed(canary: Wire) -> None:
    async with Remote.open(guard=AddressGuard(f"127.0.0.1:{canary.port}"), user_agent="test") as remote:
        assert (await remote.post(f"http://127.0.0.1:{canary.port}/x", b"{}", {})).status == 404
    assert len(canary.accepted) == 1


async def test_aiohttp_itself_cannot_make_a_socket_to_a_forbidden_literal(canary: Wire) -> None:
    """The last line: literals never meet the resolver, but every connection needs a socket."""
    connector = aiohttp.TCPConnector(socket_factory=socket_factory(AddressGuard(), "https"))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{canary.port}/")
    assert canary.accepted == []


@pytest.mark.attack("SSRF-04")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
async def test_a_name_at_a_private_address_is_refused(call: Call, canary: Wire) -> None:
    async def resolver(host: str) -> list[str]:
        return {"evil.test": ["127.0.0.1"], "metadata.test": ["169.254.169.254", "::1", "fd00::1"]}[host]

    async with Remote.open(guard=AddressGuard(), user_agent="test", resolver=resolver) as remote:
        for host in ("evil.test", "metadata.test"):
            with pytest.raises(Refused):
                await call(remote, f"https://{host}:{canary.port}/x")
    assert canary.accepted == []


@pytest.mark.attack("SSRF-04")
async def test_of_mixed_addresses_only_the_permitted_is_dialled(tmp_path: Path) -> None:
    async def resolver(_host: str) -> list[str]:
        return ["127.0.0.2", "127.0.0.1", "127.0.0.3"]

    ca_file, tls = certificate(tmp_path, "mixed.test")
    async with listening("0.0.0.0", tls) as server:
        guard = AddressGuard(f"127.0.0.1:{server.port}")
        async with Remote.open(guard=guard, user_agent="test", ca_file=ca_file, resolver=resolver) as remote:
            assert (await remote.post(f"https://mixed.test:{server.port}/x", b"{}", {})).status == 404
            with pytest.raises(Refused):  # over http it would have to be all of them
                await remote.post(f"http://mixed.test:{server.port}/x", b"{}", {})
            assert await remote.scheme_for(f"mixed.test:{server.port}") == "https"
    assert set(server.accepted) == {"127.0.0.1"}


@pytest.mark.attack("SSRF-04")
async def test_a_name_that_changes_its_address_is_checked_at_each_connection(peer: Wire, canary: Wire) -> None:
    """What the first answer permitted says nothing about the next one."""
    answers = iter((["127.0.0.1"], ["127.0.0.2"]))

    async def resolver(_host: str) -> list[str]:
        return next(answers)

    guard = AddressGuard(f"127.0.0.1:{peer.port}")
    async with Remote.open(guard=guard, user_agent="test", resolver=resolver) as remote:
        assert (await remote.post(f"http://one.test:{peer.port}/x", b"{}", {})).status == 404
        with pytest.raises(Refused):
            await remote.post(f"http://two.test:{canary.port}/x", b"{}", {})
    assert canary.accepted == []


@pytest.mark.attack("SSRF-06")
async def test_redirects_to_forbidden_places_are_not_followed(remote: Remote, peer: Wire, canary: Wire) -> None:
    places = [f"http://{spelling}:{canary.port}/" for spelling in SPELLINGS if spelling.isascii()]
    for place in [*places, f"https://127.0.0.1:{canary.port}/", "file:///etc/passwd", "gopher://127.0.0.1/"]:
        peer.answers["/r"] = answer(302, Location=place)
        for call in ("document", "json", "bytes"):
            with pytest.raises((Refused, Unreachable)):
                await CALLS[call](remote, f"{peer.url}/r")
    assert canary.accepted == []


async def test_http_is_for_allow_listed_hosts(remote: Remote, peer: Wire) -> None:
    assert await remote.scheme_for(f"127.0.0.1:{peer.port}") == "http"
    assert await remote.scheme_for("127.0.0.1") == "https"
    assert await remote.scheme_for("8.8.8.8") == "https"
    with pytest.raises(Refused, match="https only"):
        await remote.get_json("http://8.8.8.8/")


@pytest.mark.attack("LDS-03")
async def test_a_context_is_never_fetched(remote: Remote, peer: Wire, canary: Wire) -> None:
    body = {"@context": [f"http://127.0.0.1:{canary.port}/c", f"{peer.url}/context"], "id": f"{peer.url}/n"}
    peer.answers["/n"] = answer(200, json.dumps(body).encode(), Content_Type=AP)
    assert (await remote.get_document(f"{peer.url}/n", sign=None)).body == body
    assert canary.accepted == []
    assert peer.paths == ["/n"]


async def test_tls_wants_a_certificate_that_is_trusted_and_fits(tmp_path: Path) -> None:
    async def resolver(_host: str) -> list[str]:
        return ["127.0.0.1"]

    ca_file, tls = certificate(tmp_path, "good.test")
    guard = AddressGuard("127.0.0.1")
    async with listening(tls=tls) as server:
        async with Remote.open(guard=guard, user_agent="test", ca_file=ca_file, resolver=resolver) as remote:
            assert (await remote.post(f"https://good.test:{server.port}/", b"", {})).status == 404
            with pytest.raises(Unreachable):
                await remote.post(f"https://other.test:{server.port}/", b"", {})
        async with Remote.open(guard=guard, user_agent="test", resolver=resolver) as remote:
            with pytest.raises(Unreachable):
                await remote.post(f"https://good.test:{server.port}/", b"", {})
    assert len(server.requests) == 1


async def test_a_file_without_certificates_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ValueError, match="name a PEM file"):
            async with Remote.open(guard=AddressGuard(), user_agent="test", ca_file=str(tmp_path / name)):
                pass


async def test_names_are_looked_up_once_for_many_and_failures_are_told(peer: Wire) -> None:
    asked: list[str] = []

    async def resolver(host: str) -> list[str]:
        asked.append(host)
        if host == "missing.test":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return ["127.0.0.1"] if host == "there.test" else []

    guard = AddressGuard(f"127.0.0.1:{peer.port}")
    async with Remote.open(guard=guard, user_agent="test", resolver=resolver) as remote:
        for _ in range(3):
            await remote.post(f"http://there.test:{peer.port}/", b"", {})
        assert asked == ["there.test"]
        for host in ("missing.test", "empty.test"):
            with pytest.raises(Unreachable, match="could not be resolved") as failure:
                await remote.get_json(f"https://{host}/")
            assert isinstance(failure.value, RemoteError)
            assert not failure.value.gone
