"""Markup, addresses and controls that others send, followed to every page, feed, API answer and log line."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import structlog
from yarl import URL

from fediverse import logs
from fediverse.text import safe_url
from tests.conftest import MakeInstance
from tests.peers.scripted import Actor, Server, signed, stamp
from tests.support.browser import Browser, PageSeen
from tests.support.instance import PASSWORD, Account, Instance
from tests.support.process import Process
from tests.support.routes import filled
from tests.test_inbox_conversation import deliver, followed
from tests.test_text_sanitize import PAYLOADS, assert_harmless
from tests.test_web_public import ATOM, assert_inert

HTML_FIELDS = {"content", "note"}
LISTS = ("/home", "/mentions", "/notifications", "/public?from=everywhere", "/@alice/following", "/search?q=mallory")
MARKUP = [payload for payload in PAYLOADS if "\ud800" not in payload]
ADDRESSES = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "javascript&#58;alert(1)",
    "&#x6A;avascript:alert(1)",
    " javascript:alert(1)",
    "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "//evil.example/x",
    "/\\evil.example",
    "file:///etc/passwd",
    "blob:https://evil.example/1",
    "https://bank.example@evil.example/",
    "https://evil.example\\@bank.example/",
    'https://evil.example/"onmouseover=alert(1)//',
    "https://evil.example/\u202egpj.exe",
    "https:javascript:alert(1)",
    "http://[javascript:alert(1)]/",
    {"type": "Link", "href": "javascript:alert(1)"},
    ["javascript:alert(1)", {"type": "Link", "href": "data:text/html,x", "mediaType": "text/html"}],
    {"type": "Link", "href": ["javascript:alert(1)"]},
    {"href": {"href": "javascript:alert(1)"}},
    5,
    None,
]


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


@pytest.fixture
async def browser(instance: Instance, alice: Account) -> AsyncIterator[Browser]:
    async with Browser(instance.url) as made:
        await made.sign_in("alice", PASSWORD)
        yield made


def strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(the name that it stands under, text) of every text in a document."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from strings(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part, name)
    elif isinstance(value, str):
        yield name, value


def is_address(name: str) -> bool:
    parts = name.split("_")
    return any(part in {"url", "uri", "avatar", "header", "href", "website"} for part in parts)


def assert_entities_harmless(answer: Any) -> None:
    """What clients show as HTML is harmless, what they follow is http(s)."""
    for name, text in strings(answer):
        if name in HTML_FIELDS:
            assert_harmless(as_foreign(text))
        elif is_address(name) and text:
            assert safe_url(text) == text, (name, text)
    fields = [field["value"] for account in accounts_in(answer) for field in account["fields"]]
    for value in fields:
        assert_harmless(as_foreign(value))


def as_foreign(html: str) -> str:
    """HTML made here, with links to this server's own tags and to verified pages written as those to elsewhere."""
    html = html.replace(' target="_blank"', "").replace(' rel="tag"', ' rel="nofollow noopener noreferrer"')
    return html.replace(' rel="me nofollow', ' rel="nofollow').replace(" u-url mention", " mention")


def accounts_in(answer: Any) -> Iterator[dict[str, Any]]:
    if isinstance(answer, dict):
        if "acct" in answer and "fields" in answer:
            yield answer
        for part in answer.values():
            yield from accounts_in(part)
    elif isinstance(answer, list):
        for part in answer:
            yield from accounts_in(part)


FORM_PARTS = {("hidden", "csrf"), ("hidden", "back"), ("radio", "choice"), ("checkbox", "choice")}


def assert_page_harmless(page: PageSeen, instance: Instance) -> None:
    """Nothing runs, every address is a path of this server's or http(s), and whoever wrote it stays a stranger."""
    assert page.status == 200, (page.url, page.status)
    assert_inert(page)
    for element in page.tree.iter():
        if not isinstance(element.tag, str):
            continue
        assert "srcdoc" not in element.attrib
        assert element.get("http-equiv") is None
        assert element.tag not in {"base", "applet", "math", "marquee", "noscript"}
        for name in ("href", "src", "action", "formaction", "xlink:href", "poster", "data", "srcset", "ping"):
            value = element.get(name)
            if value is None:
                continue
            parts = urlsplit(value)
            if parts.scheme or parts.netloc:
                assert safe_url(value) == value, value
                if element.tag == "a" and not value.startswith(instance.url):
                    assert {"nofollow", "noopener", "noreferrer"} <= set((element.get("rel") or "").split()), value
            else:
                assert value.startswith(("/", "#", "?")), value
                assert not value.startswith(("//", "/\\")), value
    for article in page.all("article"):
        for element in article.iter():
            if element.tag in {"input", "textarea", "select"}:  # of ours: to vote, and to come back
                assert (element.get("type"), element.get("name", "")[:6]) in FORM_PARTS


async def look(instance: Instance, browser: Browser, alice: Account, mallory: Actor, actor_id: str, post: str) -> None:
    """The places where one profile and one post are shown."""
    # Below the oldest post, a profile is shown without any, which is quicker to look through.
    for path in (f"/@{mallory.handle[1:]}?max_id=1", f"/@{mallory.handle[1:]}/{post}"):
        assert_page_harmless(await browser.get(path), instance)
    for path in (f"accounts/{actor_id}", f"statuses/{post}", f"statuses/{post}/context", f"statuses/{post}/history"):
        assert_entities_harmless(await instance.call("GET", f"/api/v1/{path}", by=alice))


async def look_around(instance: Instance, browser: Browser, alice: Account, actor_id: str) -> None:
    """The lists in which it is shown beside others."""
    for path in (f"/compose?reply_to={await newest(instance, alice, actor_id)}", *LISTS):
        assert_page_harmless(await browser.get(path), instance)
    for path in (
        "timelines/home?limit=40",
        "timelines/public?limit=40",
        "notifications?limit=40",
        f"accounts/{actor_id}/statuses?limit=40",
        f"accounts/{alice.id}/following",
        "accounts/search?q=mallory",
    ):
        answer = await instance.call("GET", f"/api/v1/{path}", by=alice)
        assert answer, path
        assert_entities_harmless(answer)


async def newest(instance: Instance, alice: Account, actor_id: str) -> str:
    found = await instance.call("GET", f"/api/v1/accounts/{actor_id}/statuses?limit=1", by=alice)
    return str(found[0]["id"])


@pytest.mark.attack("XSS-01", "XSS-04")
async def test_markup_of_others_does_nothing_anywhere(
    instance: Instance, browser: Browser, alice: Account, mallory: Actor
) -> None:
    """Every payload in every field of a profile and of a post, with an edit, on all pages and in all answers."""
    actor_id = await followed(instance, alice, mallory)
    for payload in MARKUP:
        mallory.extra = {
            "name": payload,
            "summary": payload,
            "attachment": [{"type": "PropertyValue", "name": payload, "value": payload}],
            "tag": [{"type": "Emoji", "name": payload, "icon": {"type": "Image", "url": f"{mallory.server.url}/e"}}],
        }
        note = mallory.mention(
            alice.uri,
            summary=payload,
            name=payload,
            content=payload,
            attachment=[
                {"type": "Image", "mediaType": "image/png", "url": f"{mallory.server.url}/x.png", "name": payload},
                {"type": "Document", "mediaType": payload, "url": f"{mallory.server.url}/y", "name": payload},
            ],
        )
        note["tag"] += [
            {"type": "Hashtag", "name": f"#{payload}", "href": f"{mallory.server.url}/t"},
            {"type": "Mention", "name": payload, "href": mallory.uri},
            {"type": "Emoji", "name": f":{payload}:", "icon": {"type": "Image", "url": f"{mallory.server.url}/e.png"}},
        ]
        question = mallory.note(payload, type="Question", oneOf=[{"type": "Note", "name": payload}] * 2)
        edit = {**note, "content": f"<p>{payload}{payload}</p>", "updated": stamp(60)}
        await deliver(
            instance,
            mallory,
            mallory.activity("Update", {**mallory.document(), "updated": stamp(60)}),
            mallory.activity("Create", question),
            mallory.activity("Create", note),
            mallory.activity("Update", edit),
        )
        await look(instance, browser, alice, mallory, actor_id, await newest(instance, alice, actor_id))
    await look_around(instance, browser, alice, actor_id)


@pytest.mark.attack("XSS-02")
async def test_addresses_of_others_lead_only_where_links_may(
    instance: Instance, browser: Browser, alice: Account, mallory: Actor
) -> None:
    actor_id = await followed(instance, alice, mallory)
    for number, address in enumerate(ADDRESSES):
        inner = address if isinstance(address, str) else "javascript:alert(1)"
        link = f'<a href="{inner}">x</a>'
        picture = {"type": "Image", "mediaType": "image/png", "url": address}
        mallory.extra = {
            "name": f"mallory {number}",
            "url": address,
            "icon": picture,
            "image": [picture, address],
            "summary": link,
            "attachment": [
                {"type": "PropertyValue", "name": "a", "value": link},
                {"type": "PropertyValue", "name": "b", "value": inner},
            ],
            "movedTo": address,
            "alsoKnownAs": [address],
        }
        note = mallory.mention(
            alice.uri,
            content=f"<p>{link}{inner}</p>",
            url=address,
            inReplyTo=address if isinstance(address, str) else None,
            attachment=[
                picture,
                {"type": "Link", "href": address},
                {"type": "Document", "mediaType": "video/mp4", "url": address, "icon": picture, "preview": picture},
            ],
        )
        note["tag"] += [
            {"type": "Hashtag", "name": "#x", "href": address},
            {"type": "Mention", "name": "@x", "href": address},
            {"type": "Emoji", "name": ":x:", "id": address, "icon": picture},
        ]
        await deliver(
            instance,
            mallory,
            mallory.activity("Update", {**mallory.document(), "updated": stamp(60)}),
            mallory.activity("Create", note),
        )
        post = await newest(instance, alice, actor_id)
        shown = await instance.call("GET", f"/api/v1/statuses/{post}", by=alice)
        assert shown["uri"] == note["id"]  # it did come
        assert (await instance.call("GET", f"/api/v1/accounts/{actor_id}"))["display_name"] == f"mallory {number}"
        if not isinstance(address, str) or not address.startswith("https://evil.example/"):
            assert shown["url"] == note["id"]
            assert shown["account"]["url"] == mallory.uri
        await look(instance, browser, alice, mallory, actor_id, post)
        # For strangers the page is a way to the original, wherever that claims to be.
        async with instance.http.get(f"{instance.url}/@{mallory.handle[1:]}/{post}", allow_redirects=False) as away:
            assert safe_url(away.headers["Location"]) is not None
    await look_around(instance, browser, alice, actor_id)


@pytest.mark.attack("XSS-01", "XSS-02", "XSS-04")
async def test_markup_of_people_here_does_nothing_anywhere(
    instance: Instance, browser: Browser, alice: Account
) -> None:
    """The same through the client API, in pages, feeds and documents for other servers."""
    texts = [text for text in (*MARKUP, *ADDRESSES) if isinstance(text, str) and "\x00" not in text]
    for number, text in enumerate(texts, 1):
        fields = {"0": {"name": text[:60], "value": text[:200]}, "1": {"name": "site", "value": text[:200]}}
        changes = {"display_name": text[:30], "note": text[:400], "fields_attributes": fields}
        await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, json=changes)
        body = f"x {text}"[:90]
        posted = await instance.post(alice, body, spoiler_text=text[:15])
        for path in ("/@alice?max_id=1", f"/@alice/{posted['id']}", "/settings/profile"):
            assert_page_harmless(await browser.get(path), instance)
        for path in (f"accounts/{alice.id}", f"statuses/{posted['id']}", "timelines/public"):
            assert_entities_harmless(await instance.call("GET", f"/api/v1/{path}"))
        for path in ("/users/alice", f"/users/alice/statuses/{posted['id']}"):
            document = await instance.call("GET", path, headers={"Accept": "application/activity+json"})
            for name, value in strings(document):
                if name in {"content", "summary", "value"} and document["type"] != "Note":
                    assert_harmless(as_foreign(value))
                if name in {"url", "href", "inbox", "id"}:
                    assert safe_url(value) is not None, (name, value)
        if number % 15 and number < len(texts):
            continue
        feed = ElementTree.fromstring((await browser.get("/@alice.atom")).body)  # which has the latest twenty
        for content in feed.iter(f"{ATOM}content"):
            assert_harmless(as_foreign(content.text or ""))
    for path in ("/home", "/public", "/@alice", "/@alice/with_replies", f"/compose?reply_to={posted['id']}"):
        assert_page_harmless(await browser.get(path), instance)


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}


@pytest.mark.attack("XSS-06", "OAU-05")
async def test_every_route_sends_the_headers_that_protect(instance: Instance, browser: Browser, alice: Account) -> None:
    """The whole table of routes with every method, errors, redirects and what has no route."""
    posted = await instance.post(alice, "hello")
    values = {
        **dict.fromkeys(("name", "acct"), "alice"),
        **dict.fromkeys(("tag", "hashtag"), "x"),
        **dict.fromkeys(("key", "mac", "url"), "x"),
        "id": posted["id"],
        "account_id": "1",
        "colour": "ffffff",
        "version": "2.0",
        "verb": "like",
    }
    asked = [(method, path) for method, _, path in filled(instance.app, "GET", "HEAD", "POST", "PUT", values=values)]
    asked += [("DELETE", "/"), ("TRACE", "/"), ("OPTIONS", "/api/v1/statuses"), ("GET", "/nothing"), ("GET", "/%00")]
    asked += [("GET", "/oauth/authorize?client_id=x"), ("POST", "/login"), ("PUT", "/users/alice"), ("GET", "//x")]
    for method, path in asked:
        for headers in ({}, {"Accept": "application/activity+json"}, alice.headers):
            if path.startswith("/api/v1/streaming"):
                continue  # goes on for ever, and is no document
            url = URL(instance.url + path, encoded=True)
            async with instance.http.request(method, url, headers=headers, allow_redirects=False) as answer:
                for name, value in HEADERS.items():
                    assert answer.headers.get(name) == value, (method, path, name)
                policy = answer.headers["Content-Security-Policy"]
                parts = {part.split()[0]: part.split()[1:] for part in policy.split(";") if part.strip()}
                assert parts["frame-ancestors"] == ["'none'"]
                assert parts["default-src"] in (["'self'"], ["'none'"])
                for wrong in ("unsafe-inline", "unsafe-eval", "*", "http:", "https:"):
                    assert wrong not in policy.replace("'self'", ""), (method, path, policy)
                if "sandbox" not in parts:
                    assert parts["object-src"] == ["'none'"]
                    assert parts["base-uri"] == ["'none'"]
                    assert parts["form-action"][0] == "'self'"
                    assert parts["script-src"] == ["'self'"]
                assert answer.headers.get("Access-Control-Allow-Credentials") is None
    # Signed in, the pages with forms.
    settings = [f"/settings/{name}" for name in ("profile", "account", "password", "apps", "transfer")]
    for path in ("/home", *settings, "/settings/transfer/lists.csv", "/compose", "/notifications", "/requests"):
        page = await browser.get(path)
        assert (page.status, page.headers["X-Frame-Options"]) == (200, "DENY")
        assert "no-store" in page.headers["Cache-Control"]


@pytest.mark.attack("XSS-06", "OAU-06")
async def test_behind_https_cookies_and_pages_keep_to_it(make_instance: MakeInstance) -> None:
    there = await make_instance(base_url="https://social.example", domain="social.example")
    await there.account("alice")
    host = {"Host": "social.example"}
    async with there.http.get(f"{there.address}/login", headers=host) as page:
        assert page.status == 200
        assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
        cookies = page.headers.getall("Set-Cookie")
        assert len(cookies) == 1
        for part in ("__Host-form-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
            assert part in cookies[0]


async def raw(process: Process, path: str, agent: str) -> int:
    """The status of the answer to a request with a header that no client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{process.port}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode("latin-1"))
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


@pytest.mark.attack("XSS-08")
async def test_a_log_line_is_one_whatever_is_in_it(new_database: Any, tmp_path: Path, peer: Server) -> None:
    """Line ends, controls and format strings in addresses, agents, types, names and key ids."""
    process = Process(new_database(), tmp_path, FEDIVERSE_LOG_LEVEL="debug")
    alice = await process.account("alice")
    evil = 'x\r\n{"event": "forged"}\x1b[2J\u2028\u202e%s %n {{7*7}} ${jndi:ldap://x}\x00'
    await process.start()
    try:
        mallory = peer.actor("mallory", name=evil, summary=evil)
        for path in ("/%0d%0a%7b%22event%22:%20%22forged%22%7d", "/%1b%5b2Jpath", "/@%1b%5b2J", "/users/%0aforged"):
            for agent in ("agent %s {{7*7}}", "agent \x1b[31m", "agent \x0b\x85"):
                assert await raw(process, path, agent) in {400, 404}
        body = json.dumps({**mallory.activity(evil, {"id": evil, "type": evil, "content": evil}), "id": evil}).encode()
        for options in ({}, {"key_id": mallory.key_id + "%0d%0a%1b[2J"}, {"key_id": f"{peer.url}/\u2028\u202e{{7*7}}"}):
            headers = signed(mallory, f"{process.url}/inbox", body, **options)
            status, _ = await peer.post(f"{process.url}/inbox", body, headers)
            assert status in {202, 400, 401}
        note = mallory.mention(alice.uri, inReplyTo=f"{peer.url}/\x1b[2J", attributedTo=mallory.uri)
        assert await peer.send(mallory, f"{process.url}/inbox", mallory.activity("Create", note)) == 202
        async with peer.http.get(f"{process.url}/api/v2/search", headers=alice.headers, params={"q": evil}) as answer:
            assert answer.status < 500
    finally:
        assert await process.stop() == 0
    lines = (process.folder / "log").read_bytes().decode().split("\n")
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(events) > 8
    assert not any(event["event"] == "forged" for event in events)
    assert any("\x1b" in str(event.get("path")) for event in events)  # it did arrive, escaped
    for line in lines:
        assert line.isprintable() or "\t" in line, ascii(line)
        assert "49" not in line or "7*7" not in line


@pytest.mark.attack("XSS-08")
def test_a_terminal_shows_controls_and_obeys_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    kept = structlog.get_config()
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    try:
        logs.configure("info")
        log = structlog.get_logger("test")
        log.warning("request", path="/\x1b[2J\x9b31m", agent="a\r\nforged\x07", deep=["\x1b]0;title\x07"])
        try:
            raise ValueError("\x1b[2Jmessage")
        except ValueError:
            log.exception("failed", **{"\x1b[31mkey": 1})
        log.warning("\x1b[2Jevent")
    finally:
        structlog.configure(**kept)
    shown = terminal.getvalue()
    for text in ("[2J", "]0;title", "\x9b", "\x07", "\r"):
        assert f"\x1b{text}" not in shown
    assert "\x9b" not in shown
    assert "\x07" not in shown
    assert "\nforged" not in shown
    for word in ("2J", "forged", "message", "event"):
        assert word in shown
