"""The consent page: who may ask, what is shown, where the answer goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fediverse import access, clock
from fediverse.actors import people
from tests.support.browser import Browser, PageSeen
from tests.support.instance import PASSWORD, Account, Instance

URI = "https://app.example/callback?kept=1"


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
async def browser(instance: Instance) -> AsyncIterator[Browser]:
    async with Browser(instance.url) as made:
        yield made


@pytest.fixture
async def app(instance: Instance) -> Any:
    sent = {"client_name": "<b>App</b>", "redirect_uris": [URI, access.OUT_OF_BAND, "myapp://done"]}
    return await instance.call("POST", "/api/v1/apps", json={**sent, "scopes": "read write:statuses"})


def asked(app: Any, **changes: str) -> dict[str, str]:
    wanted = {
        "client_id": app["client_id"],
        "redirect_uri": URI,
        "response_type": "code",
        "scope": "read write:statuses",
        "state": "s t&a=te",
        **changes,
    }
    return {name: value for name, value in wanted.items() if value}


async def ask(browser: Browser, app: Any, **changes: str) -> PageSeen:
    return await browser.get("/oauth/authorize", params=asked(app, **changes))


async def test_one_signs_in_first_and_comes_back(
    instance: Instance, browser: Browser, alice: Account, app: Any
) -> None:
    page = await ask(browser, app)
    assert "/login?next=/oauth/authorize" in page.url
    page = await browser.send(page.form("/login"), login="alice", password=PASSWORD)
    assert "Allow <b>App</b> to use your account?" in page.words  # the name is text
    assert "Read everything you can read" in page.words
    assert "Change your statuses" in page.words
    assert "app.example" in page.words


async def test_allowing_gives_a_code_that_works(instance: Instance, browser: Browser, alice: Account, app: Any) -> None:
    await browser.sign_in("alice", PASSWORD)
    page = await ask(browser, app)
    form = page.form("/oauth/authorize")
    assert form is not None
    # Programs that walk the pages take the first form and its first button.
    assert urlsplit(page.forms[0].action).path == "/oauth/authorize"
    assert [button[:2] for button in page.forms[0].buttons] == [("decision", "allow"), ("deny", "deny")]
    answer = await browser.send(form, follow=False, decision="allow")
    goal = answer.headers["Location"]
    assert goal.startswith(f"{URI}&code=")
    told = parse_qs(urlsplit(goal).query)
    assert (told["kept"], told["state"]) == (["1"], ["s t&a=te"])
    sent = {
        "grant_type": "authorization_code",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": URI,
        "code": told["code"][0],
    }
    token = await instance.call("POST", "/oauth/token", data=sent)
    assert token["scope"] == "read write:statuses"


async def test_refusing_says_so_and_gives_nothing(browser: Browser, alice: Account, app: Any) -> None:
    await browser.sign_in("alice", PASSWORD)
    form = (await ask(browser, app)).form("/oauth/authorize")
    answer = await browser.send(form, follow=False, deny="deny")
    told = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert told["error"] == ["access_denied"]
    assert told["state"] == ["s t&a=te"]
    assert "code" not in told


async def test_without_a_redirect_the_code_is_shown(browser: Browser, alice: Account, app: Any) -> None:
    await browser.sign_in("alice", PASSWORD)
    form = (await ask(browser, app, redirect_uri=access.OUT_OF_BAND)).form("/oauth/authorize")
    page = await browser.send(form, decision="allow")
    assert page.status == 200
    assert len(page.all("code")[0].text or "") > 30


@pytest.mark.attack("OAU-01", "OAU-03", "OAU-04")
@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": "https://app.example/callback"},
        {"redirect_uri": f"{URI}&more=1"},
        {"redirect_uri": "https://app.example/callback/../callback?kept=1"},
        {"redirect_uri": "https://sub.app.example/callback?kept=1"},
        {"redirect_uri": "https://app.example@evil.example/callback?kept=1"},
        {"redirect_uri": f"{URI}#fragment"},
        {"redirect_uri": "http://app.example/callback?kept=1"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "//evil.example"},
        {"redirect_uri": ""},
        {"client_id": "unknown"},
        {"client_id": ""},
        {"response_type": "token"},
        {"scope": "write"},
        {"scope": "admin:read"},
        {"code_challenge": "x", "code_challenge_method": "plain"},
    ],
)
async def test_a_wrong_question_is_answered_here(
    browser: Browser, alice: Account, app: Any, wrong: dict[str, str]
) -> None:
    await browser.sign_in("alice", PASSWORD)
    page = await browser.get("/oauth/authorize", params=asked(app, **wrong), follow=False)
    assert page.status == 400
    assert "Location" not in page.headers
    assert page.headers["Content-Type"].startswith("text/html")
    # The same holds for what is sent with the form.
    form = (await ask(browser, app)).form("/oauth/authorize")
    answer = await browser.send(form, follow=False, decision="allow", **{n: v or None for n, v in wrong.items()})
    assert (answer.status, "Location" in answer.headers) == (400, False)


async def test_consent_needs_a_session(instance: Instance, browser: Browser, alice: Account, app: Any) -> None:
    page = await browser.get("/login")
    token = page.form("/login").fields["csrf"]
    data = {**asked(app), "csrf": token, "decision": "allow"}
    answer = await browser.request("POST", "/oauth/authorize", data=data, follow=False)
    assert (answer.status, "Location" in answer.headers) == (401, False)


@pytest.mark.attack("OAU-05")
@pytest.mark.parametrize(
    ("uri", "source"), [(URI, "https://app.example"), ("myapp://done", "myapp:"), (access.OUT_OF_BAND, "")]
)
async def test_the_page_lets_its_form_lead_to_the_application_only(
    browser: Browser, alice: Account, app: Any, uri: str, source: str
) -> None:
    await browser.sign_in("alice", PASSWORD)
    policy = (await ask(browser, app, redirect_uri=uri)).headers["Content-Security-Policy"]
    assert policy.endswith(f"form-action 'self' {source}".rstrip())
    assert "frame-ancestors 'none'" in policy


async def test_one_chooses_as_whom_the_application_acts(
    instance: Instance, browser: Browser, alice: Account, app: Any
) -> None:
    brand, stranger = await instance.account("brand"), await instance.account("stranger")
    await instance.database.write(lambda tx: people.join(tx, alice.person_id, brand.id, now=clock.now()))
    await browser.sign_in("alice", PASSWORD)
    page = await ask(browser, app)
    assert "As which account?" in page.words
    form = page.form("/oauth/authorize")
    assert form.fields["account"] == str(alice.id)
    refused = await browser.send(form, follow=False, decision="allow", account=str(stranger.id))
    assert (refused.status, "Location" in refused.headers) == (403, False)
    answer = await browser.send(form, follow=False, decision="allow", account=str(brand.id))
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    sent = {
        "grant_type": "authorization_code",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": URI,
        "code": code,
    }
    token = (await instance.call("POST", "/oauth/token", data=sent))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    me = await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers)
    assert me["acct"] == "brand"

    # Both what acts for the person and where it is signed in can be seen, and ended, by nobody else.
    async with Browser(instance.url) as other, Browser(instance.url) as foreign:
        await other.sign_in("alice", PASSWORD)
        await foreign.sign_in("stranger", PASSWORD)
        page = await browser.get("/settings/apps")
        assert "<b>App</b> as @brand" in page.words
        revoke = next(form for form in page.forms if form.fields.get("app") == app["id"])
        mark = next(form.fields["session"] for form in page.forms if "session" in form.fields)
        theirs = await foreign.get("/settings/apps")
        csrf = theirs.form("/logout").fields["csrf"]
        for path, fields in (("revoke", {"app": app["id"]}), ("sign_out", {"session": mark})):
            await foreign.request("POST", f"/settings/apps/{path}", data={"csrf": csrf, **fields})
        await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers)
        page = await browser.send(revoke)
        assert "<b>App</b>" not in page.words
        await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers, status=401)
        elsewhere = [form for form in page.forms if "session" in form.fields]
        assert len(elsewhere) == 2
        here = page.text.index("This one") > page.text.index(elsewhere[1].fields["session"])
        await browser.send(elsewhere[0] if here else elsewhere[1])
        assert "/login" in (await other.get("/home")).url
        assert (await browser.get("/home")).url.endswith("/home")
