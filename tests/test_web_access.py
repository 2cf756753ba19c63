"""The way in: setting up, signing in and out, passwords, one-time links, and who may send forms."""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import Connection, select

from fediverse import access, clock
from fediverse import instance as instance_info
from fediverse.actors import people
from fediverse.tables.access import oauth_tokens, sessions
from fediverse.web import limits
from fediverse.web.cookies import cookies
from tests.conftest import MakeInstance
from tests.support.browser import Browser
from tests.support.instance import PASSWORD, Account, Instance


@pytest.fixture
async def browser(instance: Instance) -> AsyncIterator[Browser]:
    async with Browser(instance.url) as made:
        yield made


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


async def link(instance: Instance, purpose: Any, person_id: int | None = None) -> str:
    return await instance.database.write(
        lambda tx: access.create_link(tx, purpose, person_id=person_id, now=clock.now())
    )


OWNER = {
    "instance_name": "Acme Social",
    "username": "acme",
    "name": "Acme",
    "kind": "Organization",
    "email": "owner@acme.example",
    "password": "a long enough password",
}


async def test_setting_up_names_the_instance_and_signs_the_owner_in(instance: Instance, browser: Browser) -> None:
    token = await link(instance, "setup")
    form = (await browser.get(f"/setup?token={token}")).form("/setup")
    page = await browser.send(form, **OWNER)
    assert (page.status, page.url) == (200, f"{instance.url}/home")
    assert "Acme Social" in page.words

    def read(tx: Connection) -> Any:
        return people.by_login(tx, "acme"), instance_info.get(tx)

    owner, info = await instance.database.read(read)
    assert (owner.role, owner.email) == ("owner", "owner@acme.example")
    assert (info.name, info.contact_email) == ("Acme Social", "")
    # The link is spent, and another one opens nothing while there is an owner.
    assert (await browser.get(f"/setup?token={token}")).status == 403
    assert (await browser.get(f"/setup?token={await link(instance, 'setup')}")).status == 403
    assert (await browser.send(form, **{**OWNER, "username": "second"})).status == 403


async def test_nobody_sets_up_without_the_link(instance: Instance, browser: Browser) -> None:
    token = await link(instance, "setup")
    form = (await browser.get(f"/setup?token={token}")).form("/setup")
    for wrong in ("", "x", token + "x", token[:-1]):
        assert (await browser.get("/setup", params={"token": wrong})).status == 403
        assert (await browser.send(form, **OWNER, token=wrong)).status == 403
    assert not await instance.database.read(people.owner_exists)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"username": "a b"}, "user name"),
        ({"password": "short"}, "too short"),
        ({"email": "nobody"}, "e-mail"),
        ({"instance_name": " "}, "needs a name"),
        ({"kind": "Application"}, "person or an organization"),
    ],
)
async def test_a_refused_set_up_keeps_the_link_and_what_was_typed(
    instance: Instance, browser: Browser, change: dict[str, str], sentence: str
) -> None:
    token = await link(instance, "setup")
    form = (await browser.get(f"/setup?token={token}")).form("/setup")
    page = await browser.send(form, **{**OWNER, **change})
    assert page.status == 422
    assert sentence in page.words
    again = page.form("/setup")
    assert again.fields["name"] == "Acme"
    assert again.fields["password"] == ""
    assert (await browser.send(again, **OWNER)).url.endswith("/home")


@pytest.mark.attack("OAU-06")
async def test_signing_in_and_out(instance: Instance, browser: Browser, alice: Account) -> None:
    page = await browser.sign_in("alice", PASSWORD)
    assert page.url.endswith("/home")
    cookies = browser.cookies
    page = await browser.send(page.form("/logout"))
    assert page.url.endswith("/login?message=out")
    assert "You are signed out" in page.words
    # The session ended on the server too: its cookie opens nothing.
    for name, value in cookies.items():
        browser.plant(name, value)
    assert "/login" in (await browser.get("/home")).url


@pytest.mark.parametrize("login", ["alice", "@alice", "ALICE", "alice@example.com", " Alice@EXAMPLE.com "])
async def test_a_name_and_an_address_sign_in(browser: Browser, alice: Account, login: str) -> None:
    assert (await browser.sign_in(login, PASSWORD)).url.endswith("/home")


@pytest.mark.attack("OAU-06")
async def test_a_session_is_new_at_every_sign_in(instance: Instance, browser: Browser, alice: Account) -> None:
    await browser.sign_in("alice", PASSWORD)
    name, first = next((n, v) for n, v in browser.cookies.items() if n.startswith("session-"))
    async with Browser(instance.url) as other:
        other.plant(name, "planted-by-somebody-else")
        await other.sign_in("alice", PASSWORD)
        assert other.cookies[name] not in {first, "planted-by-somebody-else"}
    # Signing in again in the same browser ends the session before.
    form = (await browser.get("/login", follow=False)).headers["Location"]
    assert form == "/home"


@pytest.mark.attack("OAU-06")
async def test_the_session_cookie_is_out_of_reach(instance: Instance, browser: Browser, alice: Account) -> None:
    page = await browser.get("/login")
    answer = await browser.send(page.form("/login"), follow=False, login="alice", password=PASSWORD)
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.attack("OAU-06")
def test_the_session_cookie_is_secure_behind_https() -> None:
    jar = cookies("https://social.example", b"a secret of some length")
    response = web.Response()
    jar.set_session(response, "x")
    line = response.cookies[jar.session_name].OutputString()
    assert line.startswith("__Host-session-")
    assert "Secure" in line
    assert "Domain" not in line
    assert cookies("https://other.example", b"a secret of some length").session_name != jar.session_name


@pytest.mark.attack("OAU-06")
async def test_a_change_of_password_ends_other_sessions_and_tokens(
    instance: Instance, browser: Browser, alice: Account
) -> None:
    await browser.sign_in("alice", PASSWORD)
    async with Browser(instance.url) as other:
        await other.sign_in("alice", PASSWORD)
        form = (await browser.get("/settings/password")).form("/settings/password")
        wrong = await browser.send(form, current="not it", password="another long one")
        assert (wrong.status, "is wrong" in wrong.words) == (422, True)
        page = await browser.send(form, current=PASSWORD, password="another long one")
        assert (page.status, "Saved." in page.words) == (200, True)
        assert "/login" in (await other.get("/home")).url
        await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice, status=401)
        assert (await other.sign_in("alice", PASSWORD)).status == 401
        assert (await other.sign_in("alice", "another long one")).status == 200

    def count(tx: Connection) -> tuple[int, int]:
        alive = tx.execute(select(oauth_tokens.c.id).where(oauth_tokens.c.revoked_at.is_(None))).all()
        return len(tx.execute(select(sessions.c.token_hash)).all()), len(alive)

    assert await instance.database.read(count) == (2, 0)


async def test_a_reset_link_works_once(instance: Instance, browser: Browser, alice: Account) -> None:
    token = await link(instance, "reset", alice.person_id)
    form = (await browser.get(f"/reset?token={token}")).form("/reset")
    short = await browser.send(form, password="short")
    assert (short.status, "too short" in short.words) == (422, True)
    page = await browser.send(form, password="a new password")
    assert page.url.endswith("/login?message=password")
    assert (await browser.send(form, password="yet another one")).status == 403
    assert (await browser.get(f"/reset?token={token}")).status == 403
    assert (await browser.sign_in("alice", "a new password")).url.endswith("/home")


async def test_an_invitation_sets_a_password_and_signs_in(instance: Instance, browser: Browser, alice: Account) -> None:
    token = await link(instance, "invite", alice.person_id)
    assert (await browser.get(f"/reset?token={token}")).status == 403  # a link is for its purpose only
    page = await browser.get(f"/invite?token={token}")
    assert "@alice@" in page.words
    page = await browser.send(page.form("/invite"), password="my own password")
    assert page.url.endswith("/home")
    assert (await browser.get(f"/invite?token={token}")).status == 403


@pytest.mark.attack("OAU-08")
async def test_wrong_passwords_are_limited_by_account_and_by_address(make_instance: MakeInstance) -> None:
    limited = await make_instance(rate_limits="on")
    await limited.account("alice")
    async with Browser(limited.url) as browser:
        form = (await browser.get("/login")).form("/login")
        for _ in range(10):
            assert (await browser.send(form, login="alice", password="wrong")).status == 401
        page = await browser.send(form, login="@Alice", password=PASSWORD)
        assert page.status == 429
        assert int(page.headers["Retry-After"]) > 0
        # An account that does not exist is limited just the same.
        for _ in range(10):
            assert (await browser.send(form, login="nobody", password="wrong")).status == 401
        assert (await browser.send(form, login="somebody else", password="wrong")).status == 429


@pytest.mark.attack("OAU-08")
async def test_nobody_is_kept_out_by_what_others_try(make_instance: MakeInstance) -> None:
    """From a hundred addresses somebody guesses at one account: its owner still comes in from another, if slowly."""
    limited = await make_instance(rate_limits="on", trusted_proxies="127.0.0.1")
    await limited.account("alice")
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    limited.app[limits.PATIENCE] = wait
    async with Browser(limited.url) as browser:
        form = (await browser.get("/login")).form("/login")

        async def sign_in(address: str, password: str, login: str = "alice") -> int:
            headers = {"X-Forwarded-For": address}
            answer = await browser.send(form, login=login, password=password, headers=headers, follow=False)
            return answer.status

        assert [await sign_in("203.0.113.1", "wrong") for _ in range(11)] == [401] * 10 + [429]
        assert await sign_in("198.51.100.1", PASSWORD) == 303
        for n in range(2, 92):
            assert await sign_in(f"203.0.113.{n}", "wrong") == 401
        assert waited == []
        assert await sign_in("198.51.100.1", PASSWORD) == 303
        assert await sign_in("203.0.113.200", "wrong", login="@ALICE") == 401
        assert len(waited) == 2
        assert await sign_in("203.0.113.201", "wrong", login="somebody") == 401
        assert len(waited) == 2


@pytest.mark.attack("OAU-08")
async def test_no_answer_tells_whether_an_account_exists(instance: Instance, browser: Browser, alice: Account) -> None:
    form = (await browser.get("/login")).form("/login")
    times: dict[str, list[float]] = {"alice": [], "nobody": []}
    pages = {}
    for _ in range(5):
        for login, taken in times.items():
            started = time.perf_counter()
            page = await browser.send(form, login=login, password="wrong")
            taken.append(time.perf_counter() - started)
            pages[login] = (page.status, page.text.replace(login, "NAME"))
    assert pages["alice"] == pages["nobody"]
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert 0.2 < known / unknown < 5  # without the dummy hash it would be ten or more


async def test_the_way_back_after_signing_in_stays_here(instance: Instance, browser: Browser, alice: Account) -> None:
    page = await browser.get("/mentions")
    assert page.url.endswith("/login?next=/mentions")
    page = await browser.send(page.form("/login"), login="alice", password=PASSWORD)
    assert page.url.endswith("/mentions")
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example", "\\\\evil", "javascript:alert(1)"):
        async with Browser(instance.url) as other:
            form = (await other.get("/login", params={"next": elsewhere})).form("/login")
            form.fields["next"] = elsewhere
            answer = await other.send(form, follow=False, login="alice", password=PASSWORD)
            assert answer.headers["Location"] == "/home"


@pytest.mark.attack("OAU-05")
async def test_every_form_wants_this_sites_own_token(instance: Instance, browser: Browser, alice: Account) -> None:
    """Cookie alone, a wrong token, and another site's Origin: all refused, on every POST that pages have."""
    page = await browser.sign_in("alice", PASSWORD)
    token = page.form("/logout").fields["csrf"]
    checked = 0
    for route in instance.app.router.routes():
        module = getattr(route.handler, "__module__", "")
        if route.method != "POST" or not module.startswith("fediverse.web"):
            continue
        resource = route.resource
        assert resource is not None
        path = resource.url_for(
            **{
                name: value
                for name, value in {"acct": "alice", "id": "1", "verb": _verb(resource.canonical)}.items()
                if f"{{{name}}}" in resource.canonical
            }
        )
        for data, headers in (
            ({}, {}),
            ({"csrf": "0" * 64}, {}),
            ({"csrf": token}, {"Origin": "https://evil.example"}),
            ({"csrf": token}, {"Origin": "null"}),
            ({"csrf": token}, {"Sec-Fetch-Site": "cross-site"}),
            ({"csrf": token}, {"Sec-Fetch-Site": "same-site"}),
        ):
            answer = await browser.request("POST", str(path), data=data, headers=headers)
            assert answer.status == 403, (path, data, headers)
        checked += 1
    assert checked >= 12
    assert (await browser.get("/home")).url.endswith("/home")  # nothing of it signed anybody out


def _verb(canonical: str) -> str:
    return "like" if canonical.startswith("/posts/") else "follow"


@pytest.mark.attack("OAU-05")
async def test_a_token_of_another_session_is_refused(instance: Instance, browser: Browser, alice: Account) -> None:
    await instance.account("mallory")
    async with Browser(instance.url) as other:
        stolen = (await other.sign_in("mallory", PASSWORD)).form("/logout").fields["csrf"]
    page = await browser.sign_in("alice", PASSWORD)
    assert (await browser.send(page.form("/logout"), csrf=stolen)).status == 403


@pytest.mark.attack("OAU-05")
async def test_no_get_changes_anything(instance: Instance, browser: Browser, alice: Account) -> None:
    posted = await instance.post(alice, "stays")
    await browser.sign_in("alice", PASSWORD)
    for path in ("/logout", f"/posts/{posted['id']}/like", f"/posts/{posted['id']}/delete", "/notifications/read"):
        assert (await browser.get(path)).status in {404, 405}
    assert (await browser.get("/home")).url.endswith("/home")
    assert (await instance.call("GET", f"/api/v1/statuses/{posted['id']}"))["favourites_count"] == 0


async def test_a_suspended_person_cannot_come_in(instance: Instance, browser: Browser, alice: Account) -> None:
    await browser.sign_in("alice", PASSWORD)
    await instance.database.write(lambda tx: people.set_suspended(tx, alice.person_id, True, now=clock.now()))
    assert "/login" in (await browser.get("/home")).url
    page = await browser.sign_in("alice", PASSWORD)
    assert (page.status, "suspended" in page.words) == (401, True)
