"""Real clients sign in by the consent page, post and read: Mastodon.py as a library, toot on the command line."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import mastodon
import pytest

from tests.support.instance import PASSWORD, Account, Instance

_INPUT = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_CODE = re.compile(r'<code class="code">([^<]+)</code>')


class Browser:
    """Somebody's browser: it keeps cookies and fills in forms."""

    def __init__(self, instance: Instance, http: aiohttp.ClientSession) -> None:
        self.instance = instance
        self.http = http

    async def consent(self, address: str, who: Account) -> tuple[str, str]:
        """(page, address) after ``who`` signed in and allowed what the application at ``address`` asks for."""
        async with self.http.get(address, headers={"Accept": "text/html"}) as response:
            assert response.status == 200
            page = await response.text()
        assert 'name="password"' in page, "nobody is signed in yet"
        fields = {**_hidden(page), "login": who.username, "password": PASSWORD}
        async with self.http.post(f"{self.instance.url}/login", data=fields, headers=self._headers()) as response:
            assert response.status == 200
            page = await response.text()
        assert "Allow" in page
        fields = {
            **_hidden(page.partition('action="/oauth/authorize"')[2].partition("</form>")[0]),
            "decision": "allow",
        }
        async with self.http.post(
            f"{self.instance.url}/oauth/authorize", data=fields, headers=self._headers(), allow_redirects=False
        ) as response:
            return await response.text(), response.headers.get("Location", "")

    def _headers(self) -> dict[str, str]:
        return {"Accept": "text/html", "Origin": self.instance.url}


def _hidden(page: str) -> dict[str, str]:
    return {unescape(name): unescape(value) for name, value in _INPUT.findall(page)}


@pytest.fixture
async def browser(instance: Instance) -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Browser(instance, http)


async def test_mastodon_py_signs_in_and_does_what_people_do(instance: Instance, browser: Browser) -> None:
    alice, carol = await instance.account("alice"), await instance.account("carol")
    client_id, client_secret = await asyncio.to_thread(
        mastodon.Mastodon.create_app,
        "A real client",
        api_base_url=instance.url,
        scopes=["read", "write", "follow"],
        website="https://client.example/",
    )

    def connect(**options: Any) -> mastodon.Mastodon:
        return mastodon.Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=instance.url, **options)

    client = await asyncio.to_thread(connect)
    address = await asyncio.to_thread(
        client.auth_request_url, scopes=["read", "write", "follow"], state="s", allow_http=True
    )
    page, _ = await browser.consent(address, alice)
    code = _CODE.search(page)
    assert code is not None
    await asyncio.to_thread(client.log_in, code=code[1], scopes=["read", "write", "follow"], allow_http=True)

    def use() -> None:
        assert client.me().acct == "alice"
        assert client.instance_v1().uri == instance.domain
        assert client.instance_v2().domain == instance.domain
        assert client.custom_emojis() == []
        assert client.preferences()["posting:default:visibility"] == "public"
        status = client.status_post("Hello from #MastodonPy @carol", language="en", idempotency_key="once")
        assert status.application.name == "A real client"
        assert client.status(status).id == status.id
        reply = client.status_reply(status, "and again", visibility="unlisted")
        assert reply.in_reply_to_id == status.id
        assert [one.id for one in client.status_context(status).descendants] == [reply.id]
        edited = client.status_update(reply, "and again, better")
        assert edited.edited_at is not None
        assert len(client.status_history(reply)) == 2
        assert client.status_source(reply).text == "and again, better"
        assert client.status_favourite(status).favourited
        assert [one.acct for one in client.status_favourited_by(status)] == ["alice"]
        assert client.status_bookmark(status).bookmarked
        assert client.status_reblog(status).reblog.id == status.id
        assert client.status_pin(status).pinned
        assert client.status_mute(status).muted
        assert [one.id for one in client.bookmarks()] == [status.id]
        assert [one.id for one in client.favourites()] == [status.id]
        first = client.timeline_home(limit=2)
        assert len(first) == 2
        assert client.fetch_remaining(first)[-1].id == status.id
        assert [one.id for one in client.timeline_hashtag("mastodonpy")] == [status.id]
        # The answer to herself counts as a post, but it is unlisted.
        assert [one.id for one in client.timeline_public()] == [status.id]
        other = client.account_lookup("carol")
        assert client.account_search("car")[0].id == other.id
        assert client.search("carol").accounts[0].id == other.id
        assert client.account_follow(other).following
        assert client.account_relationships([other])[0].following
        assert [one.id for one in client.account_following(client.me())] == [other.id]
        assert client.account_mute(other).muting
        assert client.account_block(other).blocking
        assert not client.account_unblock(other).blocking
        me = client.account_update_credentials(display_name="Alice", fields=[("Site", "https://alice.example")])
        assert me.display_name == "Alice"
        assert len(client.account_statuses(me, pinned=True)) == 1
        client.markers_set(["home"], [status.id])
        assert client.markers_get(["home"]).home.last_read_id == status.id
        client.notifications_clear()
        client.status_unreblog(status)
        assert client.status_delete(reply).text == "and again, better"
        client.revoke_access_token(allow_http=True)
        with pytest.raises(mastodon.MastodonUnauthorizedError):
            connect(access_token=token).me()

    token = client.access_token
    await asyncio.to_thread(use)
    assert await instance.notifications(carol) == [], "the block ended what the one was told of the other"


async def test_code_flow_with_pkce_and_a_redirect(instance: Instance, browser: Browser) -> None:
    alice = await instance.account("alice")
    uri = "https://client.example/callback?keep=1"
    app = await instance.call(
        "POST", "/api/v1/apps", json={"client_name": "PKCE", "redirect_uris": [uri], "scopes": "read write"}
    )
    verifier = "v" * 50
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": app["client_id"],
        "redirect_uri": uri,
        "response_type": "code",
        "scope": "read",
        "state": "a&b=c",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    address = str(aiohttp.client.URL(f"{instance.url}/oauth/authorize").with_query(asked))
    _, location = await browser.consent(address, alice)
    target = aiohttp.client.URL(location)
    assert str(target.with_query("keep=1")) == uri
    assert target.query["state"] == "a&b=c"
    sent = {
        "grant_type": "authorization_code",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": uri,
        "code": target.query["code"],
        "code_verifier": verifier,
    }
    token = await instance.call("POST", "/oauth/token", data=sent)
    assert token["scope"] == "read"


async def test_toot_signs_in_posts_and_reads(instance: Instance, browser: Browser, tmp_path: Path) -> None:
    alice = await instance.account("alice")
    await instance.account("carol")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "NO_COLOR": "1"}
    environment.pop("TOOT_TESTING", None)

    async def start(*arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(Path(sys.executable).parent / "toot"),
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def toot(*arguments: str) -> str:
        process = await start(*arguments)
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        return out.decode()

    login = await start("login", "--instance", instance.url)
    assert login.stdin is not None
    assert login.stdout is not None
    address = ""
    while not address.startswith("http"):
        line = await login.stdout.readline()
        assert line, "toot ended before it showed an address"
        address = line.decode().strip()
    page, _ = await browser.consent(address, alice)
    code = _CODE.search(page)
    assert code is not None
    out, _ = await login.communicate(f"n\n{code[1]}\n".encode())
    assert login.returncode == 0, out.decode()
    assert "alice" in await toot("whoami")
    assert "posted" in await toot("post", "Written on a command line")
    assert "Written on a command line" in await toot("timelines", "home")
    assert "Written on a command line" in await toot("timelines", "public")
    await toot("follow", "carol")
    assert "carol" in await toot("following", "alice")
    home = await instance.home(alice)
    for verb in ("favourite", "reblog", "bookmark", "pin"):
        await toot(verb, home[-1]["id"])
    assert "carol" in await toot("search", "carol")
    await toot("instance")
    await toot("thread", home[-1]["id"])
    await toot("delete", home[-1]["id"])
    assert await instance.home(alice) == []
