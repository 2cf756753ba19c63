"""Cards: fetched once, late and guarded; read leniently; shown clean."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from fediverse import clock
from fediverse.cards.links import first_link
from fediverse.cards.pages import CardDraft, read_page, with_oembed
from fediverse.tables.instance import jobs
from fediverse.text import sanitize
from tests.conftest import MakeInstance
from tests.peers.scripted import PUBLIC, Server
from tests.support.browser import Browser
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance
from tests.test_web_public import assert_inert

URL = "https://news.example/story?id=1"
PAGE = """<!doctype html><html lang="en-GB"><head>
<title>Plain title</title>
<meta property="og:title" content="  A &amp; B\n &lt;b&gt;story ">
<meta property="og:title" content="second">
<meta name="description" content="plain"><meta property="og:description" content="What happened">
<meta property="og:site_name" content="The News"><meta name="author" content="Jane Doe">
<meta property="og:image" content="/picture.jpg"><meta property="og:image:width" content="600">
<meta property="og:image:height" content="315"><meta property="og:image:alt" content="A fire">
<meta property="article:published_time" content="2026-01-02T03:04:05Z">
<link rel="canonical" href="/story/1"></head><body>text</body></html>"""


def card(html: str | bytes, *, final_url: str = URL, charset: str | None = None) -> CardDraft:
    content = html if isinstance(html, bytes) else html.encode()
    return read_page(content, charset, url=URL, final_url=final_url)


def test_a_page_is_read() -> None:
    assert card(PAGE) == CardDraft(
        link="https://news.example/story/1",
        title="A & B <b>story",
        description="What happened",
        language="en-GB",
        author_name="Jane Doe",
        provider_name="The News",
        provider_url="https://news.example/",
        image="https://news.example/picture.jpg",
        image_description="A fire",
        width=600,
        height=315,
        published_at=1_767_323_045_000,
    )
    assert card("<title>Only this</title>").title == "Only this"
    assert card('<meta name="twitter:title" content="T"><meta name="twitter:image" content="//cdn.example/i.png">') == (
        CardDraft(link=URL, title="T", provider_url="https://news.example/", image="https://cdn.example/i.png")
    )
    assert card("").title == ""


@pytest.mark.parametrize(
    ("content", "charset", "title"),
    [
        ("<title>Ünïcödé</title>".encode(), None, "Ünïcödé"),
        ("<title>Größe</title>".encode("latin-1"), "iso-8859-1", "Größe"),
        ('<meta charset="windows-1251"><title>Привет</title>'.encode("cp1251"), None, "Привет"),
        ('<meta http-equiv=x content="text/html; charset=shift_jis"><title>日本</title>'.encode("cp932"), None, "日本"),
        ("<title>Größe</title>".encode(), "no such encoding", "Größe"),
        ("<title>Größe</title>".encode(), "hex", "Größe"),
        ("<title>Größe</title>".encode("punycode"), "PunyCode", "Gre"),
        ('<meta charset="raw_unicode_escape"><title>Größe</title>'.encode(), None, "Größe"),
        (b"\xef\xbb\xbf<title>\xff\x00ok</title>", "utf-8", "\ufffd\ufffdok"),
    ],
)
def test_pages_in_all_encodings(content: bytes, charset: str | None, title: str) -> None:
    found = card(content, charset=charset).title
    assert found.replace("\ufffd", "") == title.replace("\ufffd", "")


@pytest.mark.attack("XSS-01")
@pytest.mark.attack("XSS-02")
def test_what_a_page_says_is_no_markup_and_no_other_scheme() -> None:
    evil = "javascript:alert(1)"
    html = f"""<title>\u202e<script>alert(1)</script></title><meta property="og:image" content="{evil}">
    <link rel="canonical" href="{evil}"><link rel="author" href="{evil}"><html lang="<script>">
    <meta property="og:description" content="{"x" * 9000}"><meta property="og:image:width" content="-1">"""
    found = card(html)
    assert (found.title, found.image, found.link) == ("<script>alert(1)</script>", None, URL)
    assert (found.author_url, found.language, found.width) == ("", "", None)
    assert len(found.description) == 500
    # A card leads where the link leads: a name for another host, or for the front page, is not the page's.
    for elsewhere in ("https://evil.example/story", "http://news.example/story", "/"):
        assert card(f'<title>t</title><link rel="canonical" href="{elsewhere}">').link == URL
    answer = {"type": "video", "title": "V", "html": "<iframe>", "thumbnail_url": evil, "author_url": evil, "width": {}}
    found = with_oembed(card(""), answer, base=URL)
    assert (found.kind, found.title, found.image, found.author_url) == ("link", "V", None, "")
    photo = {"type": "photo", "url": "https://i.example/1.jpg", "width": "640", "height": 480, "author_name": ["x"]}
    found = with_oembed(card("<title>t</title>"), photo, base=URL)
    assert (found.kind, found.image, found.width, found.height) == ("photo", "https://i.example/1.jpg", 640, 480)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["<meta ", "property=og:title", ' content="', '">', "<title>", "</title>", "<link rel=", "\x00"]
        )
        | st.text(max_size=10),
        max_size=40,
    ),
    st.none() | st.text(max_size=12),
)
def test_no_page_breaks_the_reader(parts: list[str], charset: str | None) -> None:
    found = card("".join(parts).encode("utf-8", "replace"), charset=charset)
    assert len(found.title) <= 2000
    assert found.image is None or found.image.startswith("http")


def test_the_first_link_that_is_no_name() -> None:
    mention = '<a href="https://a.example/@bob" class="u-url mention">@<span>bob</span></a>'
    by_sign = '<a href="https://m.example/tags/x" rel="tag">#<span>x</span></a> <a href="https://m.example/@y">@y</a>'
    plain = '<a href="https://b.example/u/eve">eve</a>'
    link = '<a class="x" href="https://news.example/?a=1&amp;b=2" target="_blank"><span class="invisible">https</span>'
    content = sanitize(f"<p>{mention} {by_sign} {plain} {link}</a> <a href='https://second.example/'>2</a>")
    assert first_link(content, passed_over={"https://b.example/u/eve"}) == "https://news.example/?a=1&b=2"
    assert first_link(sanitize('<a href="mailto:a@b.example">mail</a> <a>none</a>')) is None
    assert first_link("<p>none &lt;a href=&quot;https://x.example&quot;&gt;</p>") is None


def serve(peer: Server, path: str, body: str | bytes = PAGE, **headers: str) -> str:
    """The address of a page."""
    content = body.encode() if isinstance(body, str) else body
    all_headers = {"Content-Type": "text/html; charset=utf-8", **headers}
    peer.scripts[path] = lambda request: web.Response(body=content, headers=all_headers)
    return peer.url + path


def make_due(tx: Connection) -> None:
    tx.execute(update(jobs).values(due_at=0))


async def crawl(instance: Instance) -> None:
    """What is left for later is done."""
    await instance.tick()
    await instance.database.write(make_due)
    await instance.tick()


async def shown(instance: Instance, status: Any, by: Account | None = None) -> Any:
    return (await instance.call("GET", f"/api/v1/statuses/{status['id']}", by=by))["card"]


@pytest.mark.attack("DOS-15")
async def test_one_link_in_many_posts_is_fetched_once(
    instance: Instance, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await instance.account("alice")
    bob = peer.actor("bob")
    url, other = serve(peer, "/story"), serve(peer, "/other", "<title>Other</title>")
    posts = [await instance.post(alice, f"{n} {url} {other}") for n in range(5)]
    for n in range(20):
        note = bob.note(f'{n} <a href="{url}">here</a>', to=[PUBLIC, alice.uri])
        await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Create", note))
    await instance.tick()
    assert (peer.gets["/story"], posts[0]["card"]) == (0, None)  # not at once
    await crawl(instance)
    await crawl(instance)
    assert (peer.gets["/story"], peer.gets["/other"]) == (1, 0)
    found = await shown(instance, posts[0])
    assert_entity("PreviewCard", found)
    assert (found["title"], found["description"], found["html"]) == ("A & B <b>story", "What happened", "")
    assert found["image"].startswith(f"{instance.url}/proxy/")
    assert (found["width"], found["authors"][0]["name"], found["url"]) == (600, "Jane Doe", f"{peer.url}/story/1")
    timeline = await instance.call("GET", "/api/v1/timelines/public", params={"limit": 40})
    assert [status["card"] for status in timeline] == [found] * 25
    assert await instance.call("GET", f"/api/v1/statuses/{posts[1]['id']}/card") == found
    boost = await instance.call("POST", f"/api/v1/statuses/{posts[0]['id']}/reblog", by=alice)
    assert boost["reblog"]["card"] == found

    linking = await instance.call("GET", "/api/v1/timelines/link", params={"url": url, "limit": 3})
    assert [status["id"] for status in linking] == [status["id"] for status in timeline[:3]]
    older = {"url": found["url"], "max_id": linking[-1]["id"], "limit": "40"}
    assert len(await instance.call("GET", "/api/v1/timelines/link", params=older)) == 22
    for unknown in (other, "nonsense", "", "x" * 5000):
        await instance.call("GET", "/api/v1/timelines/link", params={"url": unknown}, status=404)

    # Known by now: shown at once, and asked for again only after two weeks.
    again = await instance.post(alice, f"again {url}#part")
    await crawl(instance)
    assert (await shown(instance, again), peer.gets["/story"]) == (found, 1)
    serve(peer, "/story", "<title>Changed</title>")
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + 15 * clock.DAY)
    await instance.post(alice, f"much later {url}")
    await crawl(instance)
    assert peer.gets["/story"] == 2
    assert (await shown(instance, posts[0]))["title"] == "Changed"

    edited = await instance.call("PUT", f"/api/v1/statuses/{again['id']}", by=alice, json={"status": "no link"})
    assert edited["card"] is None
    async with Browser(instance.url) as browser:
        page = await browser.get(f"/@alice/{posts[0]['id']}")
        assert "Changed" in page.words
        assert_inert(page)


@pytest.mark.attack("DOS-15")
async def test_what_cannot_be_had_is_left_alone(
    instance: Instance, peer: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await instance.account("alice")
    for path, code in (("/busy", 429), ("/gone", 404)):
        peer.scripts[path] = lambda request, code=code: web.Response(status=code, headers={"Retry-After": "1"})
    serve(peer, "/file", b"%PDF", **{"Content-Type": "application/pdf"})
    serve(peer, "/blank", "<p>nothing</p>")
    peer.scripts["/loop"] = lambda request: web.Response(status=302, headers={"Location": "/loop"})
    serve(peer, "/long", "<title>Long</title>" + "x" * 2_000_000)
    serve(peer, "/bomb", gzip.compress(b"<title>Bomb</title>" + b" " * 50_000_000), **{"Content-Encoding": "gzip"})
    paths = ["/busy", "/gone", "/file", "/blank", "/loop", "/long", "/bomb"]
    posts = {path: await instance.post(alice, peer.url + path) for path in paths}
    await crawl(instance)
    for path in paths:
        await instance.post(alice, f"again {peer.url}{path}")
    await crawl(instance)
    assert [peer.gets[path] for path in paths] == [1] * 7
    assert (await shown(instance, posts["/long"]))["title"] == "Long"
    assert (await shown(instance, posts["/bomb"]))["title"] == "Bomb"
    assert [await shown(instance, posts[path]) for path in paths[:5]] == [None] * 5
    assert await instance.call("GET", f"/api/v1/statuses/{posts['/gone']['id']}/card") == {}
    # Later it is tried again, once, and found.
    serve(peer, "/busy", "<title>Calm</title>")
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + 2 * clock.HOUR)
    await instance.post(alice, f"later {peer.url}/busy")
    await crawl(instance)
    assert (peer.gets["/busy"], (await shown(instance, posts["/busy"]))["title"]) == (2, "Calm")


async def test_which_posts_have_cards(instance: Instance, peer: Server) -> None:
    alice, carol = await instance.account("alice"), await instance.account("carol")
    url = serve(peer, "/page")
    poll = {"options": ["a", "b"], "expires_in": 300}
    quoted = await instance.post(alice, "quote me")
    long = f"{peer.url}/page?{'é' * 600}"  # longer than an index takes, once it is written as it is sent
    for text, fields in (
        (long, {}),
        (f"@carol {url}", {"visibility": "private"}),
        (f"@carol {url}", {"visibility": "direct"}),
        (url, {"poll": poll}),
        (url, {"quoted_status_id": quoted["id"]}),
        (f"{instance.url}/@carol #tag @carol", {}),
    ):
        await instance.post(alice, text, **fields)
    await crawl(instance)
    assert peer.gets["/page"] == 0
    unlisted = await instance.post(alice, f"@carol #tag {url}", visibility="unlisted")
    photo = '<title>Photo</title><link rel="alternate" type="application/json+oembed" href="/oembed">'
    oembed = {"type": "photo", "url": "/photo.jpg", "width": 5, "height": 4, "provider_name": "P"}
    peer.scripts["/oembed"] = lambda request: web.json_response(oembed)
    picture = await instance.post(alice, serve(peer, "/photo", photo))
    await crawl(instance)
    assert (await shown(instance, unlisted, carol))["title"] == "A & B <b>story"
    found = await shown(instance, picture)
    assert_entity("PreviewCard", found)
    assert (found["type"], found["provider_name"], found["width"]) == ("photo", "P", 5)
    assert found["embed_url"] == found["image"]


@pytest.mark.attack("SSRF-08")
async def test_a_card_is_no_way_into_the_inner_network(make_instance: MakeInstance, peer: Server) -> None:
    port = peer.url.rpartition(":")[2]
    instance = await make_instance(allowed_private_addresses=f"127.0.0.1:{port}")
    alice = await instance.account("alice")
    peer.scripts["/redirect"] = lambda request: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/x"})
    oembed = f'<title>t</title><link rel="alternate" type="application/json+oembed" href="{instance.url}/oembed">'
    posts = [
        await instance.post(alice, url)
        for url in (
            "http://127.0.0.1:1/",
            "http://169.254.169.254/latest/",
            "http://[::1]/",
            "https://10.0.0.1/",
            f"{peer.url}/redirect",
        )
    ]
    half = await instance.post(alice, serve(peer, "/half", oembed))
    await crawl(instance)
    for status in posts:
        assert await shown(instance, status) is None
    assert (await shown(instance, half))["title"] == "t"
    assert peer.gets["/x"] == 0
