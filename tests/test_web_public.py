"""Public pages: what they show, to whom, in which form, and what no text can make of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import pytest

from fediverse import clock
from fediverse import instance as instance_info
from fediverse.actors import directory
from tests.support.browser import Browser, PageSeen
from tests.support.instance import PASSWORD, Account, Instance

ACTIVITY = {"Accept": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'}
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice", name="Alice A.", summary="<p>About <b>me</b></p>")


@pytest.fixture
async def browser(instance: Instance) -> AsyncIterator[Browser]:
    async with Browser(instance.url) as made:
        yield made


def meta(page: PageSeen, name: str) -> str | None:
    """What a meta element says."""
    found = [e.get("content") for e in page.all("meta") if name in (e.get("property"), e.get("name"))]
    return found[0] if found else None


def posts(page: PageSeen) -> list[str]:
    """The texts of the posts, in order."""
    return [
        " ".join("".join(div.itertext()).split())
        for article in page.all("article")
        for div in article.iter("div")
        if div.get("class") == "text"
    ]


async def test_the_start_page_shows_local_public_posts(instance: Instance, browser: Browser, alice: Account) -> None:
    await instance.post(alice, "for all")
    await instance.post(alice, "unlisted", visibility="unlisted")
    await instance.post(alice, "followers", visibility="private")
    page = await browser.get("/")
    assert posts(page) == ["for all"]
    await browser.sign_in("alice", PASSWORD)
    assert (await browser.get("/")).url.endswith("/home")


async def test_a_profile_shows_what_its_visitor_may_see(instance: Instance, browser: Browser, alice: Account) -> None:
    bob = await instance.account("bob")
    other = await instance.post(bob, "from bob")
    await instance.post(alice, "first")
    await instance.post(alice, "followers only", visibility="private")
    await instance.post(alice, "@bob a reply", in_reply_to_id=other["id"])
    await instance.call("POST", f"/api/v1/statuses/{other['id']}/reblog", by=alice)
    page = await browser.get("/@alice")
    assert page.all("h1")[0].itertext()
    assert "Alice A." in page.words
    assert "2 posts" in page.words or "3 posts" in page.words
    assert posts(page) == ["from bob", "first"]
    assert posts(await browser.get("/@alice/with_replies")) == ["from bob", "@bob a reply", "first"]
    await browser.sign_in("alice", PASSWORD)
    assert "followers only" in posts(await browser.get("/@alice"))


async def test_names_are_found_in_any_case_and_others_are_not_there(browser: Browser, alice: Account) -> None:
    assert (await browser.get("/@ALICE")).status == 200
    for path in (
        "/@nobody",
        "/@nobody/followers",
        "/@nobody.atom",
        "/@alice@elsewhere.example",
        "/@alice/1",
        "/@alice/x",
    ):
        page = await browser.get(path)
        assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8"), path


async def test_pages_lead_on_without_end(instance: Instance, browser: Browser, alice: Account) -> None:
    for number in range(25):
        await instance.post(alice, f"post {number}")
    page = await browser.get("/@alice")
    assert len(posts(page)) == 20
    older = next(a.get("href") for a in page.all("a") if a.get("rel") == "next")
    assert posts(await browser.get(str(older))) == [f"post {n}" for n in range(4, -1, -1)]
    assert (await browser.get("/@alice?max_id=x")).status == 404


async def test_a_post_stands_in_its_thread(instance: Instance, browser: Browser, alice: Account) -> None:
    bob = await instance.account("bob")
    root = await instance.post(bob, "root")
    middle = await instance.post(alice, "@bob middle", in_reply_to_id=root["id"])
    await instance.post(bob, "@alice leaf", in_reply_to_id=middle["id"])
    page = await browser.get(f"/@alice/{middle['id']}")
    assert posts(page) == ["root", "@bob middle", "@alice leaf"]
    # Under somebody else's name there is nothing.
    assert (await browser.get(f"/@bob/{middle['id']}")).status == 404


@pytest.mark.attack("NET-01")
async def test_servers_are_led_to_the_documents(instance: Instance, browser: Browser, alice: Account) -> None:
    posted = await instance.post(alice, "hello")
    for path, goal in (
        ("/@alice", alice.uri),
        (f"/@alice/{posted['id']}", posted["uri"]),
        ("/@nobody", f"{instance.url}/users/nobody"),
    ):
        answer = await browser.get(path, headers=ACTIVITY, follow=False)
        assert (answer.status, answer.headers["Location"]) == (302, goal)
        assert "Accept" in answer.headers["Vary"]
        page = await browser.get(path, follow=False)
        assert "Accept" in page.headers["Vary"]
        if page.status == 200:
            assert page.headers["Content-Type"].startswith("text/html")
            assert f'<{goal}>; rel="alternate"; type="application/activity+json"' in page.headers["Link"]
            links = [e.get("href") for e in page.all("link") if e.get("type") == "application/activity+json"]
            assert links == [goal]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
        ("*/*", False),
        ("", False),
        ("application/activity+json", True),
        ("application/activity+json, application/ld+json", True),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams"', True),
        ("text/html, application/activity+json;q=0.5", False),
        ("text/html;q=0.5, application/activity+json", True),
        ("application/json", False),
    ],
)
async def test_the_accept_header_decides(browser: Browser, alice: Account, accept: str, wanted: bool) -> None:
    answer = await browser.get("/@alice", headers={"Accept": accept}, follow=False)
    assert answer.status == (302 if wanted else 200)


@pytest.mark.attack("NET-01")
async def test_a_reader_that_has_the_page_is_told_so(instance: Instance, browser: Browser, alice: Account) -> None:
    page = await browser.get("/@alice")
    headers = {"If-None-Match": page.headers["ETag"]}
    again = await browser.get("/@alice", headers=headers)
    assert (again.status, again.body) == (304, b"")
    await instance.post(alice, "something new")
    assert (await browser.get("/@alice", headers=headers)).status == 200
    await browser.sign_in("alice", PASSWORD)
    mine = await browser.get("/@alice")
    assert mine.headers["Cache-Control"] == "private, no-store"
    assert "ETag" not in mine.headers


@pytest.mark.attack("PRV-02", "PRV-03")
@pytest.mark.parametrize("visibility", ["private", "direct"])
async def test_what_is_not_public_is_nowhere(
    instance: Instance, browser: Browser, alice: Account, visibility: str
) -> None:
    await instance.account("bob")
    hidden = await instance.post(alice, "MARKER @bob #secret", visibility=visibility)
    await instance.account("mallory")
    number = hidden["id"]
    paths = [
        f"/@alice/{number}",
        f"/users/alice/statuses/{number}",
        f"/users/alice/statuses/{number}/activity",
        f"/users/alice/statuses/{number}/replies",
    ]
    for who in ("", "mallory"):
        if who:
            await browser.sign_in(who, PASSWORD)
        for path in paths:
            there, missing = await browser.get(path), await browser.get(path.replace(str(number), "12345"))
            assert there.status == missing.status == 404, path
            assert there.text.replace(str(number), "") == missing.text.replace("12345", "")
        for path in (
            "/",
            "/public",
            "/@alice",
            "/@alice/with_replies",
            "/@alice.atom",
            "/tags/secret",
            "/tags/secret.atom",
        ):
            assert "MARKER" not in (await browser.get(path)).text, path
        page = await browser.get(f"/@alice/{number}", headers=ACTIVITY)
        assert (page.status, "MARKER" in page.text) == (404, False)
    # The recipient sees it, and even there no card tells of it.
    async with Browser(instance.url) as recipients:
        await recipients.sign_in("bob" if visibility == "direct" else "alice", PASSWORD)
        page = await recipients.get(f"/@alice/{number}")
        assert posts(page) == ["MARKER @bob #secret"]
        assert meta(page, "og:description") is None
        assert meta(page, "robots") == "noindex"


@pytest.mark.attack("PRV-11")
async def test_what_was_deleted_is_gone_everywhere(instance: Instance, browser: Browser, alice: Account) -> None:
    posted = await instance.post(alice, "MARKER #gone")
    await instance.call("DELETE", f"/api/v1/statuses/{posted['id']}", by=alice)
    page = await browser.get(f"/@alice/{posted['id']}")
    assert (page.status, "This post was deleted." in page.words) == (410, True)
    for path in ("/", "/@alice", "/@alice.atom", "/tags/gone", "/tags/gone.atom"):
        assert "MARKER" not in (await browser.get(path)).text
    await instance.database.write(lambda tx: directory.mark_gone(tx, alice.id, clock.now()))
    assert (await browser.get("/@alice")).status == 410
    assert (await browser.get("/@alice.atom")).status == 410


@pytest.mark.attack("PRV-03")
async def test_feeds_hold_public_posts_only(instance: Instance, browser: Browser, alice: Account) -> None:
    bob = await instance.account("bob")
    other = await instance.post(bob, "of bob")
    await instance.post(alice, "one <b>&amp; #Tagged", language="en")
    await instance.post(alice, "unlisted #tagged", visibility="unlisted")
    await instance.post(alice, "hidden #tagged", visibility="private")
    await instance.post(alice, "warned of", spoiler_text="a <warning>")
    await instance.call("POST", f"/api/v1/statuses/{other['id']}/reblog", by=alice)
    feed = await browser.get("/@alice.atom")
    assert feed.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    tree = ElementTree.fromstring(feed.body)
    titles = [e.findtext(f"{ATOM}title") for e in tree.iter(f"{ATOM}entry")]
    assert titles == ["a <warning>", "one <b>&amp; #Tagged"]
    content = tree.findall(f"{ATOM}entry/{ATOM}content")[1].text or ""
    assert content.startswith("<p>one &lt;b&gt;&amp;amp; <a href=")
    assert (tree.findall(f"{ATOM}entry/{ATOM}content")[0].text or "").startswith(
        "<p><strong>a &lt;warning&gt;</strong></p><p>warned of"
    )
    assert tree.findtext(f"{ATOM}id") == alice.uri
    again = await browser.get("/@alice.atom", headers={"If-None-Match": feed.headers["ETag"]})
    assert again.status == 304
    tagged = ElementTree.fromstring((await browser.get("/tags/TAGGED.atom")).body)
    assert [e.findtext(f"{ATOM}title") for e in tagged.iter(f"{ATOM}entry")] == ["one <b>&amp; #Tagged"]
    page = await browser.get("/@alice")
    feeds = [e.get("href") for e in page.all("link") if e.get("type") == "application/atom+xml"]
    assert feeds == ["/@alice.atom"]


@pytest.mark.attack("PRV-03")
async def test_cards_and_crawlers(instance: Instance, browser: Browser) -> None:
    shy = await instance.account("shy", discoverable=False)
    known = await instance.account("known", discoverable=True, indexable=True, name="Known")
    for who in (shy, known):
        await instance.post(who, f"by {who.username}")
    page = await browser.get("/@known")
    assert meta(page, "robots") is None
    assert meta(page, "og:title") == f"Known (@known@{instance.domain})"
    assert meta(page, "og:image") == f"{instance.url}/static/avatar.png"
    assert meta(await browser.get("/@shy"), "robots") == "noindex"
    text = (await browser.get("/robots.txt")).text
    assert "Disallow: /api/" in text


NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title><script>alert(1)</script>",
    "<!--",
    "{{7*7}} {% for x in y %} %s ${jndi:ldap://x}",
    "\u2028]]></script>",
    "'onmouseover='alert(1)",
)


@pytest.mark.attack("XSS-01", "XSS-04", "XSS-08")
@pytest.mark.parametrize("nasty", NASTY)
async def test_text_stays_text(instance: Instance, browser: Browser, nasty: str) -> None:
    await instance.account("mallory", name=nasty, fields=[{"name": nasty, "value": "x", "verified_at": None}])
    mallory = instance.accounts["mallory"]
    posted = await instance.post(mallory, f"x {nasty} x"[:130], spoiler_text="")
    warned = await instance.post(mallory, "y", spoiler_text=nasty)
    await instance.database.write(lambda tx: instance_info.update(tx, description=nasty))
    for path in ("/", "/@mallory", f"/@mallory/{posted['id']}", f"/@mallory/{warned['id']}", "/@mallory/follow"):
        page = await browser.get(path)
        assert page.status == 200
        assert_inert(page)
    title = meta(await browser.get("/@mallory"), "og:title")
    assert title == f"{nasty.strip()} (@mallory@{instance.domain})"
    ElementTree.fromstring((await browser.get("/@mallory.atom")).body)
    page = await browser.get("/search", params={"q": nasty})
    assert_inert(page)
    page = await browser.get("/login", params={"next": nasty, "message": nasty})
    assert_inert(page)


def assert_inert(page: PageSeen) -> None:
    """Nothing of the page runs but the scripts that came with the program."""
    for element in page.tree.iter():
        if not isinstance(element.tag, str):
            continue
        assert not any(name.startswith("on") for name in element.attrib), element.attrib
        assert "style" not in element.attrib
        if element.tag == "script":
            assert str(element.get("src")).startswith("/static/")
            assert not element.text
        assert element.tag not in {"style", "iframe", "object", "embed"}
        if element.tag == "img":
            assert str(element.get("src")).startswith(("/static/", "/media/", "/proxy/", "/brand/"))
        for name in ("href", "src", "action", "formaction"):
            value = element.get(name, "/").strip().lower()
            assert value.startswith(("/", "#", "http://", "https://", "mailto:")), value


@pytest.mark.attack("XSS-06")
async def test_every_answer_carries_the_headers(instance: Instance, browser: Browser, alice: Account) -> None:
    paths = (
        "/",
        "/@alice",
        "/@alice.atom",
        "/nothing",
        "/login",
        "/setup",
        "/oauth/authorize",
        "/static/app.css",
        "/static/nothing",
        "/media/nothing",
        "/proxy/x/y",
        "/api/v1/instance",
        "/api/v1/nothing",
        "/users/alice",
        "/users/nobody",
        "/inbox",
        "/.well-known/webfinger",
        "/robots.txt",
        "/%00",
    )
    for path in paths:
        for method in ("GET", "POST", "DELETE"):
            answer = await browser.request(method, path, follow=False)
            policy = answer.headers["Content-Security-Policy"]
            for part in ("default-src", "frame-ancestors 'none'"):
                assert part in policy, (method, path)
            assert "unsafe-inline" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            if answer.status == 200 and answer.headers["Content-Type"].startswith("text/html"):
                for part in ("object-src 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'"):
                    assert part in policy


async def test_errors_are_told_in_the_callers_form(browser: Browser, alice: Account) -> None:
    page = await browser.get("/@nobody")
    assert (page.status, "There is no such account." in page.words) == (404, True)
    answer = await browser.get("/api/v1/nothing")
    assert answer.headers["Content-Type"].startswith("application/json")
    text = await browser.get("/nothing", headers={"Accept": "text/plain"})
    assert (text.status, text.headers["Content-Type"].split(";")[0]) == (404, "text/plain")
    assert text.text.count("\n") == 1


@pytest.mark.attack("IDN-02")
async def test_tricks_in_names_stay_in_their_place(instance: Instance, browser: Browser) -> None:
    await instance.account("mallory", name="evil\u202eecila")
    page = await browser.get("/@mallory")
    heading = page.all("h1")[0]
    assert [child.tag for child in heading] == ["bdi"]  # a direction that was turned ends with the name
    for name in page.all("article"):
        assert name.find("bdi") is not None


async def test_assets_may_be_kept_for_ever(browser: Browser) -> None:
    page = await browser.get("/")
    for element in [*page.all("link"), *page.all("script")]:
        path: Any = element.get("href") or element.get("src")
        if element.get("rel") in {"stylesheet", "icon"} or element.tag == "script":
            answer = await browser.get(path)
            assert (answer.status, "immutable" in answer.headers["Cache-Control"]) == (200, True), path
            again = await browser.get(path, headers={"If-None-Match": answer.headers["ETag"]})
            assert again.status == 304
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/brand/zzzzzz.css"):
        assert (await browser.get(path)).status == 404
