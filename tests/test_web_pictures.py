"""Stored pictures and the proxy: what they serve, and everything that they refuse."""

from __future__ import annotations

import asyncio
import io
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from limits import parse
from PIL import Image

from fediverse import clock, keys, media, moderation
from fediverse.errors import NotFound
from fediverse.tables.instance import host_blocks
from fediverse.web import limits
from tests.conftest import MakeInstance
from tests.peers.scripted import PUBLIC, Server
from tests.support.browser import Browser
from tests.support.files import clip
from tests.support.instance import PASSWORD, Instance
from tests.test_inbox_conversation import deliver, followed


@pytest.fixture
async def browser(instance: Instance) -> AsyncIterator[Browser]:
    async with Browser(instance.url) as made:
        yield made


def png(size: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), "green").save(out, "PNG")
    return out.getvalue()


def serve(peer: Server, path: str, body: bytes, kind: str = "image/png", **headers: str) -> str:
    """The address of a file on the peer."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": kind, **headers})

    peer.scripts[path] = answer
    return peer.url + path


def proxied(instance: Instance, url: str) -> str:
    """The path under which the proxy shows a remote picture."""
    return urlsplit(instance.app[keys.SITE].proxied(url)).path


@pytest.mark.attack("MED-02")
async def test_a_stored_picture_is_served_as_what_it_is(instance: Instance, browser: Browser) -> None:
    key = await media.store_picture(instance.database, instance.app[keys.PICTURES], png(), kind="avatar")
    answer = await browser.get(f"/media/{key}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert media.sniff(answer.body) == "image/jpeg"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    again = await browser.get(f"/media/{key}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.attack("MED-01")
@pytest.mark.parametrize(
    "key",
    [
        "..%2f..%2fsecret",
        "%2e%2e%2fsecret",
        "..%5csecret",
        "%2fetc%2fpasswd",
        "x%00.jpg",
        "a" * 3000,
        f"{'0' * 32}.jpg",
        f"{'0' * 32}.php",
        f"{'A' * 32}.jpg",
    ],
)
async def test_other_keys_open_nothing(instance: Instance, browser: Browser, key: str) -> None:
    (instance.settings.data_dir / "secret").write_text("MARKER")
    answer = await browser.get(f"/media/{key}")
    assert (answer.status, "MARKER" in answer.text) == (404, False)


async def test_the_proxy_shows_pictures_of_other_servers(instance: Instance, browser: Browser, peer: Server) -> None:
    url = serve(peer, "/pic", png(), "application/octet-stream", **{"Set-Cookie": "a=b", "X-Evil": "1"})
    answer = await browser.get(proxied(instance, url))
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "image/png", png())
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers
    assert "X-Evil" not in answer.headers
    again = await browser.get(proxied(instance, url), headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304
    assert peer.gets["/pic"] == 1
    ranged = await browser.get(proxied(instance, url), headers={"Range": "bytes=0-0"})
    assert (ranged.status, ranged.body) == (206, png()[:1])
    assert peer.gets["/pic"] == 1


@pytest.mark.attack("MED-06", "MED-02")
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!doctype html><script>alert(1)</script>", "text/html"),
        (b"<!doctype html><script>alert(1)</script>", "image/png"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/png"),
        (b"%PDF-1.7", "application/pdf"),
        (b"", "image/png"),
        (png() + bytes(10 * 1024 * 1024), "image/png"),
    ],
)
async def test_the_proxy_shows_nothing_else(
    instance: Instance, browser: Browser, peer: Server, body: bytes, kind: str
) -> None:
    answer = await browser.get(proxied(instance, serve(peer, "/x", body, kind)))
    assert answer.status == 404
    assert b"alert" not in answer.body


@pytest.mark.attack("MED-06")
async def test_the_proxy_fetches_only_what_was_handed_out(instance: Instance, browser: Browser, peer: Server) -> None:
    url, other = serve(peer, "/pic", png()), serve(peer, "/other", png())
    _, _, mac, encoded = proxied(instance, url).split("/")
    code = urlsafe_b64encode(other.encode()).rstrip(b"=").decode()
    for path in (
        f"/proxy/{mac}/{code}",
        f"/proxy/{mac[:-1]}/{encoded}",
        f"/proxy/{'A' * len(mac)}/{encoded}",
        f"/proxy//{encoded}",
        f"/proxy/%00/{encoded}",
        f"/proxy/{mac}/{encoded[:-2]}",
        f"/proxy/{mac}/ä",
        f"/proxy/{mac}%0D%0A%0D%0A/{encoded}",
        f"/proxy/%22%22%22%22{mac}/{encoded}",
        f"/proxy?url={other}",
    ):
        assert (await browser.get(path)).status == 404, path
    assert peer.gets["/pic"] == peer.gets["/other"] == 0


@pytest.mark.attack("MED-06")
async def test_the_proxy_never_asks_itself(instance: Instance, browser: Browser, peer: Server) -> None:
    url = serve(peer, "/pic", png())
    for inner in (instance.url + proxied(instance, url), f"{instance.url}/static/avatar.png"):
        assert (await browser.get(proxied(instance, inner))).status == 404
        assert (await browser.get(proxied(instance, inner.replace("http:", "HTTP:")))).status == 404
    assert peer.gets["/pic"] == 0

    async def back(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": instance.url + proxied(instance, url)})

    peer.scripts["/away"] = back
    assert (await browser.get(proxied(instance, f"{peer.url}/away"))).status == 404
    assert (peer.gets["/away"], peer.gets["/pic"]) == (1, 0)


@pytest.mark.attack("MED-06")
async def test_the_proxy_keeps_away_from_what_others_may_not_reach(
    instance: Instance, browser: Browser, peer: Server
) -> None:
    async def redirect(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://10.0.0.1/secret.png"})

    peer.scripts["/away"] = redirect
    for url in (f"{peer.url}/away", "http://10.0.0.1/x.png", "file:///etc/passwd", "http://[::1%25lo]/", "not a url"):
        assert (await browser.get(proxied(instance, url))).status == 404, url


@pytest.mark.attack("MED-06")
async def test_the_proxy_shows_nothing_of_a_blocked_server(instance: Instance, browser: Browser, peer: Server) -> None:
    url = serve(peer, "/pic", png())
    assert (await browser.get(proxied(instance, url))).status == 200
    await instance.database.write(
        lambda tx: moderation.block_host(tx, peer.host.split(":")[0], severity="block", now=clock.now())
    )
    assert (await browser.get(proxied(instance, url))).status == 404


@pytest.mark.attack("MED-06")
async def test_no_redirect_leads_to_a_server_whose_media_are_refused(
    instance: Instance, browser: Browser, peer: Server
) -> None:
    """The other server is the same one under another name, of which only the name is refused."""
    port = peer.host.rpartition(":")[2]
    there = f"http://localhost:{port}/pic"
    serve(peer, "/pic", png())

    async def away(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": there})

    peer.scripts["/away"] = away
    await instance.database.write(
        lambda tx: tx.execute(
            host_blocks.insert().values(id=1, host="localhost", severity="limit", reject_media=True, created_at=1)
        )
    )
    assert (await browser.get(proxied(instance, f"{peer.url}/away"))).status == 404
    assert (await browser.get(proxied(instance, there))).status == 404
    assert (peer.gets["/away"], peer.gets["/pic"]) == (1, 0)
    await instance.database.write(lambda tx: tx.execute(host_blocks.delete()))
    assert (await browser.get(proxied(instance, f"{peer.url}/away"))).body == png()


async def test_what_the_proxy_keeps_is_bounded(tmp_path: Path, instance: Instance, peer: Server) -> None:
    """Videos come in parts, from one fetch; the oldest goes first, and what is too old goes in any case."""
    cache = media.RemoteFiles(tmp_path / "kept", max_bytes=5000, max_seconds=3600)

    async def fetch(name: str, data: bytes) -> bool:
        async def chunks() -> AsyncIterator[bytes]:
            yield data[:10]
            yield data[10:]

        @asynccontextmanager
        async def handed() -> AsyncIterator[AsyncIterator[bytes]]:
            yield chunks()

        await cache.fetch(name, handed)
        return await cache.find(name) is not None

    film = clip("mp4", "libx264", None)
    assert await fetch("film", film)
    kept = await cache.find("film")
    assert kept is not None
    assert (kept.media_type, kept.size) == ("video/mp4", len(film))
    assert b"".join([chunk async for chunk in cache.read(kept, 4, 8)]) == b"ftyp"
    assert await fetch("large", png() + bytes(4500))
    assert await cache.find("film") is None
    await cache.evict(now=time.time() + 4000)
    assert await cache.find("large") is None
    with pytest.raises(NotFound):
        await fetch("page", b"<!doctype html>" + bytes(100))
    assert not list((tmp_path / "kept").glob("*"))
    url = serve(peer, "/film", film, "video/mp4")
    async with Browser(instance.url) as browser:
        part = await browser.get(proxied(instance, url), headers={"Range": "bytes=4-7"})
        assert (part.status, part.body, part.headers["Content-Type"]) == (206, b"ftyp", "video/mp4")
        assert part.headers["Content-Range"] == f"bytes 4-7/{len(film)}"
        assert (await browser.get(proxied(instance, url))).body == film
    assert peer.gets["/film"] == 1


async def test_a_picture_is_fetched_once_for_all_who_ask_at_once(
    instance: Instance, browser: Browser, peer: Server
) -> None:
    asked = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        await asked.wait()
        return web.Response(body=png(), content_type="image/png")

    peer.scripts["/pic"] = slow
    path = proxied(instance, f"{peer.url}/pic")
    waiting = [asyncio.create_task(browser.get(path)) for _ in range(8)]
    while not peer.gets["/pic"]:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    asked.set()
    assert {(await one).body for one in waiting} == {png()}
    assert peer.gets["/pic"] == 1


async def test_nobody_has_other_servers_asked_without_end(
    make_instance: MakeInstance, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_PICTURES", parse("5 per 5 minutes"))
    limited = await make_instance(rate_limits="on")
    paths = [proxied(limited, serve(peer, f"/pic{number}", png())) for number in range(7)]
    async with Browser(limited.url) as browser:
        assert [(await browser.get(path)).status for path in paths] == [200] * 5 + [429] * 2
        assert (await browser.get(paths[0])).status == 200  # what is here already costs nobody anything
    assert [peer.gets[f"/pic{number}"] for number in range(7)] == [1] * 5 + [0] * 2


async def test_pages_show_remote_pictures_through_the_proxy_only(
    instance: Instance, browser: Browser, peer: Server
) -> None:
    alice = await instance.account("alice")
    icon = {"type": "Image", "mediaType": "image/png", "url": serve(peer, "/face", png())}
    mallory = peer.actor("mallory", icon=icon)
    await followed(instance, alice, mallory)
    picture: Any = {"type": "Image", "mediaType": "image/png", "url": serve(peer, "/pic", png()), "name": '"><b>alt'}
    note = mallory.note("<p>Look :blob:</p>", attachment=[picture], to=[PUBLIC])
    note["tag"] = [
        {
            "type": "Emoji",
            "name": ":blob:",
            "id": f"{peer.url}/e",
            "icon": {"type": "Image", "url": f"{peer.url}/e.png"},
        }
    ]
    peer.serve(note)
    await deliver(instance, mallory, mallory.activity("Create", note))
    await browser.sign_in("alice", PASSWORD)
    page = await browser.get("/home")
    shown = [e for e in page.all("img") if str(e.get("src")).startswith("/proxy/")]
    assert len(shown) == 3
    assert '"><b>alt' in [e.get("alt") for e in shown]
    assert not any(peer.url in str(e.get("src")) for e in page.all("img"))
    for element in shown[:1]:
        assert (await browser.get(str(element.get("src")))).body == png()
