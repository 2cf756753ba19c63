"""Caches, host names, methods, content types, and files: what HTTP itself can be made to do."""

from __future__ import annotations

import asyncio
import io
import re
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from PIL import Image, PngImagePlugin
from yarl import URL

from tests.conftest import MakeInstance
from tests.peers.scripted import Actor, Server
from tests.support.browser import Browser
from tests.support.instance import PASSWORD, Account, Instance
from tests.support.routes import filled, templates
from tests.test_attack_privacy import close_account
from tests.test_discovery_endpoints import AP, LD, get, signed_get
from tests.test_media import declared_png, picture
from tests.test_outbox_c2s import note, post
from tests.test_outbox_documents import follows
from tests.test_web_pictures import proxied, serve

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


@dataclass
class Cache:
    """A shared cache before the server (RFC 9111): keeps what it may, hands out what Vary allows."""

    instance: Instance
    kept: dict[str, list[tuple[dict[str, str], tuple[int, str, str]]]] = field(default_factory=dict)
    hits: int = 0

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """(status, content type, Location)"""
        for named, kept in self.kept.get(path, []):
            if all(headers.get(name, "") == value for name, value in named.items()):
                self.hits += 1
                return kept
        url = self.instance.url + path
        async with self.instance.http.get(url, headers=headers, allow_redirects=False) as answer:
            await answer.read()
            found = (
                answer.status,
                answer.content_type if answer.status == 200 else "",
                answer.headers.get("Location", ""),
            )
            rules = answer.headers.get("Cache-Control", "")
            # The greedy kind: it keeps everything that does not forbid it outright.
            if "no-store" not in rules and "private" not in rules and "no-cache" not in rules:
                vary = [name.strip() for name in answer.headers.get("Vary", "").split(",") if name.strip()]
                assert "*" not in vary
                self.kept.setdefault(path, []).append(({name: headers.get(name, "") for name in vary}, found))
            return found


@pytest.mark.attack("NET-01")
@pytest.mark.parametrize("order", [(HTML, AP, ""), (AP, HTML, ""), ("", HTML, AP), (LD, "*/*", HTML)])
async def test_a_cache_never_gives_the_page_to_a_server_nor_the_reverse(
    instance: Instance, alice: Account, bob: Actor, order: tuple[str, ...]
) -> None:
    await follows(instance, bob, alice)
    posted, gone = await instance.post(alice, "hello"), await instance.post(alice, "gone")
    private = await instance.post(alice, "few", visibility="private")
    await instance.call("DELETE", f"/api/v1/statuses/{gone['id']}", by=alice)
    paths = [
        "/users/alice",
        "/users/nobody",
        "/@alice",
        "/@nobody",
        "/users/alice/outbox",
        *(
            f"/users/alice/statuses/{one['id']}{suffix}"
            for one in (posted, gone, private)
            for suffix in ("", "/activity")
        ),
        *(f"/@alice/{one['id']}" for one in (posted, gone, private)),
    ]
    cache = Cache(instance)
    for path in paths:
        alone = {}
        for accept in order:
            alone[accept] = await Cache(instance).get(path, Accept=accept)
        for _ in range(2):
            for accept in order:
                assert await cache.get(path, Accept=accept) == alone[accept], (path, accept)
        page, document = alone[HTML], alone[next(one for one in order if "json" in one)]
        if path.startswith("/users/") and page[0] in {302, 303}:
            assert document[0] not in {302, 303}, path
            assert document[1] in {"application/activity+json", ""}
    assert cache.hits > 4  # what everybody gets alike is kept
    # Two answers of one address have two tags, both hang on the Accept header, and errors too say so.
    for path in (*paths, "/nothing", "/api/v1/nothing"):
        tags = set()
        for accept in (HTML, AP):
            answer = await get(instance, path, accept)
            assert "accept" in answer.headers.get("Vary", "").lower(), (path, accept)
            tags.add(answer.headers.get("ETag", accept))
        assert len(tags) == 2 or path.endswith("/outbox"), path  # which has no page
    # What only those get who sign is for no cache.
    where = private["uri"].removeprefix(instance.url)
    seen = await signed_get(instance, bob, where)
    assert (seen.status, "private" in seen.headers["Cache-Control"]) == (200, True)
    assert (await cache.get(where, Accept=AP))[0] == 404


async def raw(instance: Instance, request: str) -> tuple[int, str]:
    """(status, everything) of the answer to exactly these bytes."""
    host, _, port = instance.address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request.replace("\n", "\r\n").encode("latin-1"))
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer.decode("utf-8", "replace")


HOSTS = [
    "Host: evil.example\n",
    "Host: evil.example\nHost: {host}\n",
    "Host: {host}\nHost: evil.example\n",
    "Host: {host}, evil.example\n",
    "Host: {host}.evil.example\n",
    "Host: evil.example#{host}\n",
    "Host: {host}@evil.example\n",
    "Host: 127.0.0.1:1\n",
    "Host: 127.0.0.1\n",
    "Host: \n",
    "Host : evil.example\n",
    "",
]


@pytest.mark.attack("NET-03")
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "target", ["/users/alice", "/.well-known/webfinger?resource=acct:alice@evil.example", "/login"]
)
async def test_another_host_name_is_refused(instance: Instance, alice: Account, host: str, target: str) -> None:
    lines = host.format(host=instance.domain)
    status, text = await raw(instance, f"GET {target} HTTP/1.1\n{lines}Connection: close\n\n")
    assert status in {400, 421}, text
    assert "publicKey" not in text
    assert "evil.example" not in text or lines.startswith("Host :")  # of which the parser says what is wrong with it


@pytest.mark.attack("NET-03")
@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/users/alice",
        "https://evil.example/users/alice",
        "http://{host}/users/alice",
        "HTTP://evil.example/users/alice",
        "//evil.example/users/alice",
        "evil.example:80",
        "*",
        "/\\evil.example/..",
    ],
)
async def test_a_target_that_is_no_path_is_refused(instance: Instance, alice: Account, target: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        first = f"{method} {target.format(host=instance.domain)} HTTP/1.1\n"
        status, text = await raw(instance, f"{first}Host: {instance.domain}\nContent-Length: 0\nConnection: close\n\n")
        assert status in {400, 404, 405, 421}, text
        assert "publicKey" not in text
        assert "Location: //evil" not in text


@pytest.mark.attack("NET-03")
async def test_no_header_changes_the_ids(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "hello")
    forged = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Server": "evil.example",
        "X-Forwarded-Port": "666",
        "X-Host": "evil.example",
        "X-Original-URL": "/metrics",
        "X-Rewrite-URL": "/metrics",
        "Forwarded": "host=evil.example;proto=gopher",
        "X-HTTP-Method-Override": "DELETE",
    }
    for path in (
        "/users/alice",
        f"/users/alice/statuses/{posted['id']}",
        "/users/alice/outbox",
        "/.well-known/host-meta",
        "/.well-known/nodeinfo",
        f"/.well-known/webfinger?resource=acct:alice@{instance.domain}",
        "/.well-known/oauth-authorization-server",
        "/api/v2/instance",
        f"/api/v1/statuses/{posted['id']}",
        "/@alice",
        "/@alice.atom",
        "/settings/profile",
        "/nothing",
    ):
        for accept in (AP, HTML):
            plain, other = await get(instance, path, accept), await get(instance, path, accept, **forged)
            assert (plain.status, plain.body) == (other.status, other.body), path
            assert plain.headers.get("Location") == other.headers.get("Location")
            assert b"evil.example" not in other.body
            assert b"gopher" not in other.body


@pytest.mark.attack("NET-03")
async def test_the_limits_count_who_really_asks(make_instance: MakeInstance) -> None:
    """X-Forwarded-For counts from a trusted proxy only, and there only what the proxy itself added."""

    async def asked(instance: Instance, number: int, header: str) -> int:
        url, headers = f"{instance.url}/api/v1/instance/rules", {"X-Forwarded-For": header.format(number)}
        async with instance.http.get(url, headers=headers) as answer:
            return answer.status

    for trusted, header, ends in (
        ("", "203.0.113.{}", 429),  # nobody is trusted
        ("10.0.0.0/8", "203.0.113.{}", 429),  # somebody else is
        ("127.0.0.0/8", "203.0.113.{}, 198.51.100.7", 429),  # what the caller wrote itself, before the proxy's own
        ("127.0.0.0/8", "198.51.100.{}", 200),  # the control: different callers behind the proxy
    ):
        instance = await make_instance(rate_limits="on", trusted_proxies=trusted)
        found = [await asked(instance, number % 250, header) for number in range(305)]
        assert found[-1] == ends, (trusted, header)
        assert found[:299] == [200] * 299


@pytest.mark.attack("NET-05")
async def test_every_address_takes_its_own_methods_only(instance: Instance, alice: Account) -> None:
    """Every route: any method that it has not is 405 with Allow, and the unknown ones do nothing."""
    values = {
        **dict.fromkeys(("name", "acct"), "alice"),
        **dict.fromkeys(("tag", "hashtag", "key", "mac", "url"), "x"),
        **dict.fromkeys(("id", "account_id"), "1"),
        "colour": "ffffff",
        "version": "2.0",
        "verb": "like",
    }
    methods: dict[str, set[str]] = {}
    for method, _, path in filled(instance.app, "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", values=values):
        methods.setdefault(path, set()).add(method)
    # An address whose last part could be an id, too, has that one's methods besides: …/emails/test and …/emails/{id}.
    patterns = [
        (method, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))))
        for method, template in templates(instance.app, "GET", "POST", "PUT", "PATCH", "DELETE")
    ]
    for path, own in methods.items():
        own |= {method for method, pattern in patterns if pattern.fullmatch(path)}
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "MKCOL", "X-MADE-UP"):
            if method in own:
                continue
            url = URL(instance.url + path, encoded=True)
            async with instance.http.request(method, url, headers=alice.headers, allow_redirects=False) as answer:
                allowed = {name.strip() for name in answer.headers.get("Allow", "").split(",")}
                if answer.status == 404 and path.startswith(("/@", "/api/v1/accounts/", "/api/v1/notifications/")):
                    continue  # it could be the page, or the account, of somebody called so
                if (method, path) == ("POST", "/@alice/follow"):
                    continue  # the page to follow from elsewhere, and the form to follow from here, share it
                if method == "X-MADE-UP":
                    assert answer.status in {400, 405}
                    continue
                assert answer.status == 405, (method, path)
                assert own & allowed, (method, path, allowed)
                assert method not in allowed
    for path in ("/inbox", "/users/alice/inbox"):
        assert (await get(instance, path)).status in {401, 405}
    assert (await post(instance, None, note()))[0] == 401


@pytest.mark.attack("NET-05")
async def test_bodies_of_other_types_are_refused_and_do_nothing(instance: Instance, alice: Account) -> None:
    for content_type in (
        "text/plain",
        "text/xml",
        "application/xml",
        "application/octet-stream",
        "",
        "nonsense",
        "a/b/c",
    ):
        headers = {**alice.headers, "Content-Type": content_type}
        for path in ("/api/v1/statuses", "/oauth/token", "/api/v1/apps", "/users/alice/outbox", "/inbox", "/login"):
            body = b'{"status": "x", "type": "Note", "content": "x"}'
            async with instance.http.post(instance.url + path, headers=headers, data=body) as answer:
                assert answer.status in {400, 401, 403, 406, 415}, (content_type, path)
    assert await instance.home(alice) == []


def animated(frames: int) -> bytes:
    out = io.BytesIO()
    images = [Image.new("P", (1, 1), number % 2) for number in range(frames)]
    images[0].save(out, "WEBP", save_all=True, append_images=images[1:])
    return out.getvalue()


def text_bomb() -> bytes:
    texts = PngImagePlugin.PngInfo()
    for number in range(80):
        texts.add_itxt(f"k{number}", "A" * 1_000_000, zip=True)
    return picture("PNG", pnginfo=texts)


def false_end() -> bytes:
    """A PNG whose data unpack to far more than its size needs."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(200_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def resident() -> int:
    """This process's memory in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


async def upload(
    instance: Instance, by: Account, data: bytes, kind: str, *, name: str, field_name: str = "avatar"
) -> Any:
    """(status, account) of a picture for one's profile."""
    form = aiohttp.FormData()
    form.add_field(field_name, data, filename=name, content_type=kind)
    url = f"{instance.url}/api/v1/accounts/update_credentials"
    async with instance.http.patch(url, headers=by.headers, data=form) as answer:
        return answer.status, await answer.json()


HOSTILE_NAMES = [
    "../../../../etc/passwd",
    "/etc/cron.d/x",
    "..\\..\\x.png",
    "x.php",
    "x.png.html",
    "..%2f..%2fx",
    "nul\x00.png",
    "a" * 5000,
    ".htaccess",
    '"; rm -rf x; ".png',
    "\u202egnp.exe",
    "",
]


@pytest.mark.attack("MED-01")
async def test_a_file_is_named_by_the_server(instance: Instance, alice: Account) -> None:
    before = {path for path in instance.settings.data_dir.parent.rglob("*") if "media" not in path.parts}
    keys = set()
    for name in HOSTILE_NAMES:
        try:
            status, account = await upload(instance, alice, picture("PNG"), "image/png", name=name)
        except ValueError:
            continue  # the client itself refuses to send it
        if not name:
            assert status == 400  # a file without a name is none
            continue
        assert status == 200, name
        key = account["avatar"].rsplit("/", 1)[1]
        assert account["avatar"] == f"{instance.url}/media/{key}"
        assert len(key) == 36
        assert key.endswith(".jpg")
        keys.add(key)
        assert (await get(instance, f"/media/{key}")).headers["Content-Type"] == "image/jpeg"
    assert len(keys) >= 10
    after = {path for path in instance.settings.data_dir.parent.rglob("*") if "media" not in path.parts}
    assert {path.name for path in after - before} <= {"fediverse.db-wal", "fediverse.db-shm"} | {
        path.name for path in after if ".db" in path.name
    }
    for path in (
        "/media/../../secret",
        "/media/..%2f..%2fsecret",
        "/media/%2e%2e%2fsecret",
        "/media/..%5c..%5csecret",
        "/media//etc/passwd",
        "/media/%2fetc%2fpasswd",
        f"/media/{next(iter(keys))}%00.html",
        f"/media/{next(iter(keys))}/../x",
        "/media/" + "a" * 4000,
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/%2e%2e/app.py",
        "/static//etc/passwd",
        "/brand/../../x.css",
    ):
        status, text = await raw(instance, f"GET {path} HTTP/1.1\nHost: {instance.domain}\nConnection: close\n\n")
        assert status in {400, 404}, path
        assert "root:" not in text
        assert "import" not in text


ACTIVE = [
    (b"<!doctype html><script>alert(1)</script>", "text/html", "x.html"),
    (b"<!doctype html><script>alert(1)</script>", "image/png", "x.png"),
    (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/svg+xml", "x.svg"),
    (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "image/jpeg", "x.jpg"),
    (
        b'<?xml version="1.0"?><x xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></x>',
        "image/png",
        "x.xml",
    ),
    (b"alert(1)//", "image/png", "x.js"),
    (b"GIF89a/*\x00\x00*/=1;alert(1)//", "image/gif", "x.gif"),
    (b"%PDF-1.7 alert(1)", "image/png", "x.pdf"),
    (b"MZ\x90\x00", "image/png", "x.exe"),
    (b"\xff\xd8\xff\xe0<script>alert(1)</script>", "image/jpeg", "x.jpg"),
    (b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", "image/png", "x.png"),
    (b"RIFF\x00\x00\x00\x00WEBP<script>alert(1)</script>", "image/webp", "x.webp"),
    (picture("BMP"), "image/png", "x.png"),
    (picture("TIFF"), "image/jpeg", "x.jpg"),
]


@pytest.mark.attack("MED-02")
async def test_what_runs_is_no_picture(instance: Instance, alice: Account) -> None:
    """Refused; or encoded anew, whatever it was called, and served as what it then is, to run nothing."""
    for data, kind, name in ACTIVE:
        for field_name in ("avatar", "header"):
            status, _ = await upload(instance, alice, data, kind, name=name, field_name=field_name)
            assert status in {415, 422}, (name, kind)
    assert "/static/avatar.png" in (await instance.call("GET", f"/api/v1/accounts/{alice.id}"))["avatar"]
    for format in ("JPEG", "PNG", "WEBP"):
        polyglot = picture(format) + b"<script>alert('MARKER')</script>/*" + b"<?php MARKER ?>"
        status, account = await upload(instance, alice, polyglot, "text/html", name="x.html")
        assert status == 200
        served = await get(instance, account["avatar"].removeprefix(instance.url), HTML)
        assert (served.status, served.headers["Content-Type"]) == (200, "image/jpeg")
        assert b"MARKER" not in served.body
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in served.headers["Content-Security-Policy"]
        assert "default-src 'none'" in served.headers["Content-Security-Policy"]
        assert "Content-Disposition" in served.headers


@pytest.mark.attack("MED-04")
async def test_a_bomb_is_refused_while_others_are_served(instance: Instance, alice: Account, peer: Server) -> None:
    bombs = {
        "declared": declared_png(50_000, 50_000),
        "texts": text_bomb(),
        "too much": false_end(),
        "frames": animated(2000),
    }
    await get(instance, "/users/alice")
    before = resident()
    for name, data in bombs.items():
        started = asyncio.get_running_loop().time()
        (status, _), page = await asyncio.gather(
            upload(instance, alice, data, "image/png", name="x.png"), get(instance, "/users/alice")
        )
        # An animation is a picture, of which the first frame is taken, and what is behind the end of one is not read.
        assert status == (200 if name in {"frames", "too much"} else 422), name
        assert asyncio.get_running_loop().time() - started < 5, name
        assert page.status == 200
        # From another server it passes through as it is, undecoded, or not at all.
        url = serve(peer, f"/{name.replace(' ', '')}", data)
        shown = await get(instance, proxied(instance, url))
        assert shown.status in {200, 404}
        assert len(shown.body) <= len(data) + 1000
    assert resident() - before < 200 * 1024 * 1024
    status, _ = await upload(instance, alice, picture("PNG"), "image/png", name="x.png")
    assert status == 200


def located(format: str) -> bytes:
    """A picture that tells where it was taken, in every way that its format has."""
    image = Image.new("RGB", (80, 40), "white")
    image.paste("black", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90°
    exif[0x010F] = "MARKER maker"
    exif[0x927C] = b"MARKER maker note"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 15.0)
    exif.get_ifd(0x8825)[29] = "MARKER date"
    options: dict[str, Any] = {"exif": exif, "icc_profile": b"MARKER profile"}
    if format == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("XML:com.adobe.xmp", "<x>MARKER xmp</x>")
        texts.add_text("Location", "MARKER text")
        options["pnginfo"] = texts
    else:
        options["xmp"] = b"<x>MARKER xmp</x>"
    if format == "JPEG":
        options |= {"comment": b"MARKER comment", "quality": 95}
    out = io.BytesIO()
    image.save(out, format, **options)
    data = out.getvalue()
    if format == "JPEG":  # IPTC, in Photoshop's segment, and a thumbnail behind the picture
        iptc = b"Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00\x10\x1c\x02\x5a\x00\x0bMARKER city"
        data = data[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + data[2:] + b"MARKER thumbnail"
    assert data.count(b"MARKER") >= 3
    return data


@pytest.mark.attack("MED-05")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
async def test_no_picture_tells_where_it_was_taken(instance: Instance, format: str) -> None:
    boss = await instance.account("boss", role="owner")
    data = located(format)
    shown = {}
    for field_name in ("avatar", "header"):
        status, account = await upload(instance, boss, data, "image/jpeg", name="x.jpg", field_name=field_name)
        assert status == 200
        shown[field_name] = account[field_name]
        assert account[f"{field_name}_static"] == account[field_name]
    async with Browser(instance.url) as browser:
        await browser.sign_in("boss", PASSWORD)
        form = (await browser.get("/settings/instance")).form("/settings/instance")
        page = await browser.send(form, logo=data)
        icon = next(e.get("href") for e in page.all("link") if e.get("rel") == "icon")
        shown["logo"] = f"{instance.url}{icon}"
    for name, address in shown.items():
        body = (await get(instance, address.removeprefix(instance.url))).body
        for trace in (b"MARKER", b"Exif", b"GPS", b"xmp", b"8BIM"):
            assert trace not in body, (name, trace)
        with Image.open(io.BytesIO(body)) as image:
            assert not image.getexif()
            if name == "logo":  # turned: what was on the left is above
                assert image.height > image.width
                top = image.convert("RGB").getpixel((image.width // 2, image.height // 4))
                assert isinstance(top, tuple)
                assert top[0] < 80


@pytest.mark.attack("MED-06")
async def test_the_picture_of_what_is_gone_is_gone(instance: Instance, alice: Account) -> None:
    """A replaced or removed picture, and those of a deleted account."""
    addresses = []
    for colour in ("red", "green"):
        out = io.BytesIO()
        Image.new("RGB", (50, 50), colour).save(out, "PNG")
        _, account = await upload(instance, alice, out.getvalue(), "image/png", name="x.png")
        addresses.append(account["avatar"].removeprefix(instance.url))
    assert [(await get(instance, path)).status for path in addresses] == [404, 200]
    await instance.database.write(close_account, instance, alice)
    await instance.tick()
    assert [(await get(instance, path)).status for path in addresses] == [404, 404]
