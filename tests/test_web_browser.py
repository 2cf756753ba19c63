"""The pages in a real browser: headless Chromium, with and without JavaScript, on a desk and on a phone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from fediverse import access, clock
from tests.support.instance import PASSWORD, Instance, free_port

CHROMIUM = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TABLE = json.loads((Path(__file__).parent / "data" / "counting.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on this machine (apt-get install chromium)")


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    """A page that complains about nothing: no blocked script or style, no missing file, no error."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    opened, complaints = await watched(context)
    yield opened
    await context.close()
    assert complaints == []


async def watched(context: BrowserContext) -> tuple[Page, list[str]]:
    context.set_default_timeout(15_000)
    page = await context.new_page()
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page, complaints


async def sign_in(page: Page, instance: Instance, username: str) -> None:
    await page.goto(f"{instance.url}/login")
    await page.get_by_label("User name or e-mail").fill(username)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/home")


async def test_from_the_set_up_link_to_the_first_post(instance: Instance, page: Page) -> None:
    token = await instance.database.write(lambda tx: access.create_link(tx, "setup", now=clock.now()))
    await page.goto(f"{instance.url}/setup?token={token}")
    await page.get_by_label("Its name").fill("Acme Social")
    await page.get_by_label("User name").fill("acme")
    await page.get_by_label("Display name").fill("Acme Instruments")
    await page.get_by_label("An organization").check()
    await page.get_by_label("E-mail").fill("owner@acme.example")
    await page.get_by_label("Password").fill("a long enough password")
    await page.get_by_role("button", name="Create the server").click()
    await page.wait_for_url("**/home")
    await page.get_by_label("What is new?").fill("Hello, fediverse! https://acme.example/ #first")
    await page.get_by_role("button", name="Post", exact=True).click()
    await page.wait_for_url("**/@acme/*")
    await page.goto(f"{instance.url}/@acme")
    await expect(page.get_by_role("heading", name="Acme Instruments")).to_be_visible()
    await expect(page.get_by_role("article")).to_contain_text("Hello, fediverse!")
    colours = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours == "rgb(244, 245, 247)"  # the style sheet is in use


async def test_the_counter_counts_as_the_table_says(instance: Instance, page: Page) -> None:
    await instance.account("alice")
    await sign_in(page, instance, "alice")
    script = """async (cases) => {
        const { count } = await import(new URL("/static/counting.js", location.href));
        return cases.map(([text, warning]) => count(text, warning));
    }"""
    counted = await page.evaluate(script, [[row["text"], row["spoiler_text"]] for row in TABLE])
    wrong = [(row["text"], n, row["count"]) for row, n in zip(TABLE, counted, strict=True) if n != row["count"]]
    assert wrong == []


async def test_the_counter_lives(instance: Instance, page: Page) -> None:
    await instance.account("alice")
    await sign_in(page, instance, "alice")
    text, left = page.get_by_label("What is new?"), page.locator("[data-counter]")
    button = page.get_by_role("button", name="Post", exact=True)
    await expect(button).to_be_disabled()
    for typed, shown in (
        ("👩\u200d👩\u200d👧 hi", "136"),
        ("https://example.org/" + "x" * 200, "117"),
        ("@bob@example.org", "136"),
    ):
        await text.fill(typed)
        await expect(left).to_have_text(shown)
        await expect(button).to_be_enabled()
    await text.fill("x" * 141)
    await expect(left).to_have_text("-1")
    await expect(button).to_be_disabled()
    await text.fill("x" * 139)
    await page.locator("summary", has_text="Content warning").click()
    await page.get_by_placeholder("What the post is about").fill("y")
    await expect(left).to_have_text("0")
    await expect(button).to_be_enabled()


async def test_a_like_stays_on_the_page(instance: Instance, page: Page) -> None:
    alice = await instance.account("alice")
    posted = await instance.post(alice, "likeable")
    await sign_in(page, instance, "alice")
    await page.evaluate("window.stayed = true")
    like = page.get_by_role("button", name="Like")
    await like.click()
    await expect(like).to_have_attribute("aria-pressed", "true")
    await expect(like).to_contain_text("1")
    await page.get_by_role("button", name="Boost").first.click()
    await expect(page.get_by_role("button", name="Boost").first).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate("window.stayed")
    seen = await instance.call("GET", f"/api/v1/statuses/{posted['id']}", by=alice)
    assert (seen["favourited"], seen["reblogged"]) == (True, True)
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto(f"{instance.url}/@alice/{posted['id']}")
    await page.get_by_title("More").click()
    await page.get_by_role("button", name="Delete").click()
    await page.wait_for_url("**/home")
    assert await instance.call("GET", f"/api/v1/statuses/{posted['id']}", status=404)


async def test_everything_works_without_javascript(instance: Instance, chromium: Browser) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    posted = await instance.post(bob, "hello from bob")
    context = await chromium.new_context(java_script_enabled=False)
    page, complaints = await watched(context)
    await sign_in(page, instance, "alice")
    await page.goto(f"{instance.url}/@bob")
    await page.get_by_role("button", name="Follow", exact=True).click()
    await expect(page.get_by_role("button", name="Unfollow")).to_be_visible()
    await page.get_by_role("button", name="Like").click()
    await expect(page.get_by_role("button", name="Like")).to_have_attribute("aria-pressed", "true")
    await page.goto(f"{instance.url}/@bob/{posted['id']}")
    await page.get_by_label("Your reply").fill("@bob hello from alice")
    await page.get_by_role("button", name="Reply", exact=True).click()
    await expect(page.get_by_role("article")).to_have_count(2)
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/login?message=out")
    await context.close()
    assert complaints == []
    found = await instance.call("GET", "/api/v1/accounts/relationships", by=alice, params={"id[]": str(bob.id)})
    assert found[0]["following"]


async def test_consent_leads_back_to_the_application(instance: Instance, page: Page) -> None:
    """Browsers hold redirects after a form to the policy of its page: the application's address has to be in it."""
    arrived: list[str] = []

    async def callback(request: web.Request) -> web.Response:
        arrived.append(request.query["code"])
        return web.Response(text="<title>arrived</title><link rel=icon href=data:,>", content_type="text/html")

    application = web.Application()
    application.router.add_get("/callback", callback)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    uri = f"http://127.0.0.1:{port}/callback"
    app = await instance.call("POST", "/api/v1/apps", json={"client_name": "App", "redirect_uris": uri})
    await instance.account("alice")
    await sign_in(page, instance, "alice")
    await page.goto(
        f"{instance.url}/oauth/authorize?client_id={app['client_id']}&redirect_uri={uri}&response_type=code&scope=read"
    )
    await page.get_by_role("button", name="Allow", exact=True).click()
    await page.wait_for_url("**/callback?code=*")
    assert len(arrived) == 1
    await runner.cleanup()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844), (320, 640)])
async def test_nothing_sticks_out(
    instance: Instance, chromium: Browser, tmp_path: Path, scheme: str, size: tuple[int, int]
) -> None:
    alice = await instance.account("alice", name="A" * 50, summary=f"<p>{'word' * 60}</p>")
    for text in ("x" * 139, "https://example.org/" + "y" * 100, "short"):
        posted = await instance.post(alice, text)
    await instance.follow(await instance.account("bob"), "alice")
    context = await chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page, complaints = await watched(context)
    await page.goto(f"{instance.url}/")
    pages = ["/", "/@alice", f"/@alice/{posted['id']}", "/@alice/follow", "/login", "/@alice/followers"]
    private = ["/home", "/notifications", "/settings/profile", "/settings/password", "/compose", "/search?q=a"]
    for path in [*pages, "sign in", *private]:
        if path == "sign in":
            await sign_in(page, instance, "alice")
            continue
        await page.goto(instance.url + path)
        sticks_out = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert sticks_out <= 0, (path, sticks_out)
        # Everything that can be used has a name that can be read out.
        nameless = await page.evaluate(
            """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")]
                .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden=true]") && !e.innerText?.trim()
                    && !e.ariaLabel && !e.title && !e.labels?.length && !e.querySelector("img[alt]"))
                .map((e) => e.outerHTML)"""
        )
        assert nameless == [], path
    folder = os.environ.get("TEST_SCREENSHOTS")
    if folder:
        await page.screenshot(path=f"{folder}/{scheme}-{size[0]}.png")
    await context.close()
    assert complaints == []
