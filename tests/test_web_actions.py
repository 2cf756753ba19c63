"""What somebody who is signed in does on the pages, without JavaScript: write, answer, like, follow, settle, search."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Connection, select

from fediverse.tables.actors import actors
from fediverse.tables.instance import audit_log, pictures
from tests.conftest import MakeInstance
from tests.support.browser import Browser, PageSeen
from tests.support.instance import PASSWORD, Account, Instance, settle
from tests.test_web_public import assert_inert, posts


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice", name="Alice")


@pytest.fixture
async def bob(instance: Instance) -> Account:
    return await instance.account("bob", name="Bob")


@pytest.fixture
async def browser(instance: Instance, alice: Account) -> AsyncIterator[Browser]:
    """Alice's."""
    async with Browser(instance.url) as made:
        await made.sign_in("alice", PASSWORD)
        yield made


def problem(page: PageSeen) -> str:
    """What the page says is wrong."""
    return " ".join("".join(p.itertext()) for p in page.all("p") if p.get("class") == "notice bad")


async def test_a_post_is_written_and_shown(instance: Instance, browser: Browser, bob: Account) -> None:
    form = (await browser.get("/home")).form("/compose")
    page = await browser.send(form, text="Hello @bob, see https://example.org/ #first\r\n\r\nsecond line")
    assert "/@alice/" in page.url
    assert posts(page) == ["Hello @bob, see https://example.org/ #firstsecond line"]
    # The same form sent twice, as by a double click, posts once.
    again = await browser.send(form, text="Hello @bob, see https://example.org/ #first\r\n\r\nsecond line")
    assert again.url == page.url
    assert len(posts(await browser.get("/home"))) == 1
    async with Browser(instance.url) as bobs:
        await bobs.sign_in("bob", PASSWORD)
        assert len(posts(await bobs.get("/mentions"))) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text": "x" * 141}, "141 characters"),
        ({"text": "x" * 140, "spoiler_text": "y"}, "content warning included, is 141"),
        ({"text": "  "}, "nothing to read"),
        ({"text": "to nobody", "visibility": "direct"}, "recipient"),
        ({"text": "hi", "visibility": "everybody"}, "who may see"),
    ],
)
async def test_what_cannot_be_posted_stays_in_the_composer(
    browser: Browser, fields: dict[str, str], sentence: str
) -> None:
    form = (await browser.get("/compose")).form("/compose")
    page = await browser.send(form, **fields)
    assert page.status == 422
    assert sentence in problem(page)
    assert page.form("/compose").fields["text"] == fields["text"]
    assert posts(await browser.get("/home")) == []


async def test_a_reply_answers_whom_it_should(instance: Instance, browser: Browser, bob: Account) -> None:
    await instance.account("carol")
    root = await instance.post(bob, "question for @carol @alice", visibility="unlisted")
    page = await browser.get(f"/@bob/{root['id']}")
    form = page.form("/compose")
    assert form.fields["text"] == "@bob @carol "
    assert form.fields["visibility"] == "unlisted"
    page = await browser.send(form, text=form.fields["text"] + "an answer")
    assert posts(page) == ["question for @carol @alice", "@bob @carol an answer"]
    hidden = await instance.post(bob, "only @carol", visibility="direct")
    assert (await browser.get(f"/compose?reply_to={hidden['id']}")).status == 404
    page = await browser.send(form, in_reply_to_id=hidden["id"], text="guess", key="other")
    assert (page.status, "does not exist" in problem(page)) == (404, True)


async def test_likes_boosts_and_pins_come_and_go(instance: Instance, browser: Browser, bob: Account) -> None:
    posted = await instance.post(bob, "likeable")
    path, number = f"/@bob/{posted['id']}", posted["id"]
    for verb in ("like", "unlike", "boost", "unboost"):
        page = await browser.get(path)
        page = await browser.send(page.form(f"/posts/{number}/{verb}"))
        assert page.url.partition("#")[0] == instance.url + path
        seen = await instance.call("GET", f"/api/v1/statuses/{number}", by=instance.accounts["alice"])
        assert (seen["favourited"], seen["reblogged"]) == (verb == "like", verb == "boost")
    mine = await instance.post(instance.accounts["alice"], "mine")
    page = await browser.get("/@alice")
    page = await browser.send(page.form(f"/posts/{mine['id']}/pin"))
    assert "Pinned" in page.words
    page = await browser.send(page.form(f"/posts/{mine['id']}/unpin"))
    assert "Pinned" not in page.words


async def test_a_script_gets_the_post_alone(instance: Instance, browser: Browser, bob: Account) -> None:
    posted = await instance.post(bob, "likeable")
    form = (await browser.get("/@bob")).form(f"/posts/{posted['id']}/like")
    page = await browser.send(form, headers={"X-Fragment": "post"})
    assert page.text.startswith("<article")
    assert 'aria-pressed="true"' in page.text
    assert_inert(page)


async def test_a_private_post_cannot_be_liked_by_its_number(instance: Instance, browser: Browser, bob: Account) -> None:
    public = await instance.post(bob, "public")
    hidden = await instance.post(bob, "hidden", visibility="private")
    form = (await browser.get("/@bob")).form(f"/posts/{public['id']}/like")
    for number in (hidden["id"], "12345", "9" * 19):
        form.action = f"{instance.url}/posts/{number}/like"
        assert (await browser.send(form)).status == 404
        form.action = f"{instance.url}/posts/{number}/delete"
        assert (await browser.send(form)).status == 404


async def test_posts_are_deleted_by_their_authors_and_by_moderators(
    instance: Instance, browser: Browser, bob: Account
) -> None:
    mine = await instance.post(instance.accounts["alice"], "mine")
    page = await browser.get(f"/@alice/{mine['id']}")
    page = await browser.send(page.form(f"/posts/{mine['id']}/delete"))
    assert page.url.endswith("/home")  # its own page is gone
    theirs = await instance.post(bob, "theirs")
    form = (await browser.get("/@bob")).form(f"/posts/{theirs['id']}/like")
    form.action = f"{instance.url}/posts/{theirs['id']}/delete"
    assert (await browser.send(form)).status == 403
    await instance.account("mod", role="moderator")
    async with Browser(instance.url) as moderators:
        await moderators.sign_in("mod", PASSWORD)
        page = await moderators.get("/@bob")
        assert "Delete as moderator" in page.words
        page = await moderators.send(page.form(f"/posts/{theirs['id']}/delete"))
        assert "theirs" not in posts(page)

    def read(tx: Connection) -> Any:
        return tx.execute(select(audit_log.c.action, audit_log.c.person_id, audit_log.c.target)).one()

    entry = await instance.database.read(read)
    assert entry == ("status.delete", instance.accounts["mod"].person_id, theirs["uri"])


async def test_people_are_followed_muted_and_blocked(instance: Instance, browser: Browser, bob: Account) -> None:
    for verb, mark in (
        ("follow", "Unfollow"),
        ("unfollow", "Follow"),
        ("mute", "Muted"),
        ("unmute", "Mute"),
        ("block", "Blocked"),
        ("unblock", "Block"),
    ):
        page = await browser.get("/@bob")
        page = await browser.send(page.form(f"/@bob/{verb}"))
        assert page.url == f"{instance.url}/@bob"
        assert mark in page.words, verb


async def test_requests_to_follow_are_answered(instance: Instance, browser: Browser, alice: Account) -> None:
    page = await browser.get("/settings/profile")
    await browser.send(page.form("/settings/profile"), locked="1")
    for name in ("carol", "dave"):
        await instance.follow(await instance.account(name), "alice")
    page = await browser.get("/requests")
    assert "@carol@" in page.words
    page = await browser.send(page.form("/@carol/accept"))
    assert "@carol@" not in page.words
    page = await browser.send(page.form("/@dave/reject"))
    assert "Nobody is waiting." in page.words
    page = await browser.get("/@alice/followers")
    assert "@carol@" in page.words
    assert "@dave@" not in page.words
    page = await browser.send((await browser.get("/@carol")).form("/@carol/remove_follower"))
    assert "@carol@" not in (await browser.get("/@alice/followers")).words


async def test_notifications_tell_and_are_marked(instance: Instance, browser: Browser, bob: Account) -> None:
    mine = await instance.post(instance.accounts["alice"], "mine")
    await instance.follow(bob, "alice")
    await instance.call("POST", f"/api/v1/statuses/{mine['id']}/favourite", by=bob)
    await instance.call("POST", f"/api/v1/statuses/{mine['id']}/reblog", by=bob)
    await instance.post(bob, "hey @alice")
    page = await browser.get("/notifications")
    for words in ("follows you", "liked your post", "boosted your post", "4 new"):
        assert words in page.words
    assert posts(page) == ["hey @alice"]
    await browser.get("/notifications")  # looking marks nothing
    page = await browser.send(page.form("/notifications/read"))
    assert "new" not in page.words
    assert_inert(page)
    theirs = await instance.post(bob, "theirs")
    await instance.call("POST", f"/api/v1/statuses/{theirs['id']}/reblog", by=instance.accounts["alice"])
    await instance.call("PUT", f"/api/v1/statuses/{theirs['id']}", by=bob, json={"status": "theirs, edited"})
    page = await browser.get("/notifications")
    assert "Edited a post that you boosted" in page.words
    assert posts(page) == ["theirs, edited", "hey @alice"]


async def test_the_profile_is_edited(instance: Instance, browser: Browser, alice: Account) -> None:
    out = io.BytesIO()
    Image.new("RGB", (600, 500), "red").save(out, "PNG")
    form = (await browser.get("/settings/profile")).form("/settings/profile")
    page = await browser.send(
        form,
        name="Alice <A>",
        bio="Hello https://example.org/\r\n<b>not bold</b>",
        avatar=out.getvalue(),
        avatar_description="A red square",
        field_name_0="Site",
        field_value_0="https://alice.example",
        indexable="1",
        discoverable=None,
        bot="1",
    )
    assert "Saved." in page.words
    page = await browser.get("/@alice")
    assert_inert(page)
    for words in ("Alice <A>", "<b>not bold</b>", "alice.example", "Bot"):
        assert words in page.words
    picture = next(e.get("src") for e in page.all("img") if "avatar" in e.get("class", ""))
    answer = await browser.get(str(picture))
    assert answer.headers["Content-Type"] == "image/jpeg"
    document = await instance.call("GET", "/users/alice", headers={"Accept": "application/activity+json"})
    assert (document["type"], document["icon"]["url"]) == ("Service", f"{instance.url}{picture}")
    assert document["icon"]["name"] == "A red square"
    form = (await browser.get("/settings/profile")).form("/settings/profile")
    assert (form.fields["name"], form.fields["field_value_0"]) == ("Alice <A>", "https://alice.example")
    page = await browser.send(form, avatar_remove="1", bot=None)
    assert (await browser.get(str(picture))).status == 404
    row = await instance.database.read(lambda tx: tx.execute(select(actors).where(actors.c.id == alice.id)).one())
    assert (row.avatar, row.kind, row.discoverable, row.indexable) == (None, "Person", False, True)
    assert row.avatar_description == ""


async def test_a_refused_profile_keeps_what_was_typed(instance: Instance, browser: Browser) -> None:
    form = (await browser.get("/settings/profile")).form("/settings/profile")
    page = await browser.send(form, name="Kept", avatar=b"<svg onload=alert(1)>")
    assert (page.status, "JPEG, PNG or WebP" in problem(page)) == (415, True)
    assert page.form("/settings/profile").fields["name"] == "Kept"
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "PNG")
    page = await browser.send(form, bio="x" * 501, avatar=out.getvalue())
    assert (page.status, "at most 500" in problem(page)) == (422, True)
    # The picture that came along is not left behind.
    assert await instance.database.read(lambda tx: tx.execute(select(pictures)).all()) == []


async def test_the_instance_is_changed_by_its_owner_only(instance: Instance, browser: Browser) -> None:
    assert (await browser.get("/settings/instance")).status == 403
    await instance.account("boss", role="owner")
    async with Browser(instance.url) as owners:
        page = await owners.sign_in("boss", PASSWORD)
        form = (await owners.get("/settings/instance")).form("/settings/instance")
        out = io.BytesIO()
        Image.new("RGBA", (90, 60), (1, 2, 3, 100)).save(out, "PNG")
        page = await owners.send(
            form,
            name="Acme <b>",
            description="We\nmeasure",
            colour="#ffee00",
            rules="Be kind.\r\n\r\nNo ads.",
            contact_email="hello@acme.example",
            logo=out.getvalue(),
        )
        assert "Saved." in page.words
        wrong = await owners.send(page.form("/settings/instance"), colour="red")
        assert (wrong.status, "hexadecimal" in problem(wrong)) == (422, True)
    # Somebody else cannot send the form either.
    form.fields["csrf"] = (await browser.get("/home")).form("/logout").fields["csrf"]
    assert (await browser.send(form, name="Mine now")).status == 403
    page = await browser.get("/@alice")
    assert "Acme <b>" in page.words
    assert "Be kind." in page.words
    assert_inert(page)
    assert any(e.get("href") == "/brand/ffee00.css" for e in page.all("link"))
    icon = next(e.get("href") for e in page.all("link") if e.get("rel") == "icon")
    assert (await browser.get(str(icon))).headers["Content-Type"] == "image/png"


async def test_searching_finds_people_and_tags(instance: Instance, browser: Browser, bob: Account) -> None:
    await instance.post(bob, "#Kayaking today")
    assert "@bob@" in (await browser.get("/search", params={"q": "bo"})).words
    assert "#Kayaking" in (await browser.get("/search", params={"q": "#kay"})).words
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=bob, json={"indexable": True})
    await instance.post(bob, "A day of paddling")
    assert "A day of paddling" in (await browser.get("/search", params={"q": "paddling from:bob"})).words
    page = await browser.get("/search", params={"q": f"@bob@{instance.domain}"})
    assert page.url == f"{instance.url}/@bob"
    assert "Nothing was found" in (await browser.get("/search", params={"q": "nothing like it"})).words
    assert (await browser.get("/search", params={"q": "@nobody@127.0.0.1:9"})).status == 200
    async with Browser(instance.url) as strangers:
        assert "/login" in (await strangers.get("/search", params={"q": "bo"})).url


async def test_following_from_ones_own_server(make_instance: MakeInstance) -> None:
    """A reader without an account here types their handle, and goes on to follow on their own server."""
    brand, home = await make_instance(), await make_instance()
    await brand.account("acme", name="Acme")
    await home.account("reader")
    async with Browser(brand.url) as visiting, Browser(home.url) as at_home:
        page = await visiting.get("/@acme/follow")
        form = page.form("/@acme/remote_follow")
        for wrong, sentence in (
            ("reader", "whole handle"),
            ("!", "not a handle"),
            (f"@acme@{brand.domain}", "this very server"),
            (f"@nobody@{home.domain}", "could not be asked"),
        ):
            page = await visiting.send(form, handle=wrong)
            assert sentence in problem(page), wrong
            assert page.form("/@acme/remote_follow").fields["handle"] == wrong
        page = await visiting.send(form, handle=f"@reader@{home.domain}")
        goal = next(str(a.get("href")) for a in page.all("a") if "primary" in a.get("class", ""))
        assert goal.startswith(f"{home.url}/authorize_interaction?uri=")
        page = await at_home.get(goal)
        page = await at_home.send(page.form("/login"), login="reader", password=PASSWORD)
        assert page.url == f"{home.url}/@acme@{brand.domain}"
        page = await at_home.send(page.form(f"/@acme@{brand.domain}/follow"))
        await settle(home, brand)
        page = await at_home.get(f"/@acme@{brand.domain}")
        assert "Unfollow" in page.words
        # Strangers are led to the original.
        answer = await visiting.request("GET", page.url, follow=False)
        assert answer.headers["Location"] == f"{brand.url}/@acme"
        posted = await brand.post(brand.accounts["acme"], "news for the reader")
        await settle(home, brand)
        assert posts(await at_home.get("/home")) == ["news for the reader"]
        page = await at_home.get("/search", params={"q": posted["url"]})
        assert page.url.startswith(f"{home.url}/@acme@{brand.domain}/")
        assert "The original on" in page.words
