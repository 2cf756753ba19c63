"""The demo's people made, following each other, and talking: all through the client API, over HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp

from tools.demo import pictures
from tools.demo.servers import DemoError, Server
from tools.demo.story import FOLLOWS, Act, Person, Post, brand_of, handle, words

WAIT_SECONDS = 30.0


class Stage:
    """Two servers, and the posts made on them so far: by key, as their own server describes them."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = {server.brand.name: server for server in servers}
        self._posts: dict[str, dict[str, Any]] = {}
        self._authors: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = {}

    def _server(self, key: str) -> Server:
        return self._servers[brand_of(key).name]

    async def people(self, server: Server) -> None:
        """The brand's accounts exist, with names and pictures."""
        owner, *others = server.brand.people
        await asyncio.gather(server.set_up(owner), *(server.add_account(person) for person in others))
        await asyncio.gather(*(self._dress(server, person) for person in server.brand.people))

    async def _dress(self, server: Server, person: Person) -> None:
        server.tokens[person.key] = await server.cli("token", "create", person.key)
        form = aiohttp.FormData(
            {
                "display_name": person.name,
                "note": person.bio,
                "fields_attributes[0][name]": "Website",
                "fields_attributes[0][value]": server.brand.website,
                "discoverable": "true",
            },
            default_to_multipart=True,
        )
        avatar, header = pictures.avatar(person.initials, person.colour), pictures.header(person.colour)
        form.add_field("avatar", avatar, filename="avatar.png", content_type="image/png")
        form.add_field("header", header, filename="header.png", content_type="image/png")
        await server.api("PATCH", "/api/v1/accounts/update_credentials", by=person.key, data=form)

    async def follow(self) -> None:
        """Everybody follows whom they shall, and the other instance has accepted it."""
        asked = [(follower, await self._find(follower, followee)) for follower, followee in FOLLOWS]
        for follower, account_id in asked:
            await self._server(follower).api("POST", f"/api/v1/accounts/{account_id}/follow", by=follower)

        async def accepted() -> bool:
            relations = [await self._relation(follower, account_id) for follower, account_id in asked]
            return all(relation["following"] for relation in relations)

        await _until(accepted, "the follows to be accepted")

    async def _find(self, by: str, whom: str) -> str:
        asked = {"q": handle(whom, by), "type": "accounts", "resolve": "true"}
        found = await self._server(by).api("GET", "/api/v2/search", by=by, params=asked)
        if not found["accounts"]:
            raise DemoError(f"{by} does not find {asked['q']}.")
        return str(found["accounts"][0]["id"])

    async def _relation(self, by: str, account_id: str) -> dict[str, Any]:
        (relation,) = await self._server(by).api(
            "GET", "/api/v1/accounts/relationships", by=by, params={"id[]": account_id}
        )
        return dict(relation)

    async def play(self, script: Sequence[Post | Act]) -> None:
        """Everything was said and done, each answer once the post before it had arrived."""
        for line in script:
            if isinstance(line, Post):
                await self._say(line)
            else:
                await self._do(line)

    async def _say(self, post: Post) -> None:
        sent = {"status": words(post), "language": "en"}
        if post.reply_to:
            sent["in_reply_to_id"] = await self._seen(post.by, post.reply_to)
            self._counts[post.reply_to]["replies_count"] += 1
        if post.warning:
            sent["spoiler_text"] = post.warning
        self._posts[post.key] = await self._server(post.by).api("POST", "/api/v1/statuses", by=post.by, json=sent)
        self._authors[post.key] = post.by
        self._counts[post.key] = Counter()

    async def _do(self, act: Act) -> None:
        status_id = await self._seen(act.by, act.post)
        await self._server(act.by).api("POST", f"/api/v1/statuses/{status_id}/{act.verb}", by=act.by)
        if act.verb != "pin":
            self._counts[act.post][{"favourite": "favourites_count", "reblog": "reblogs_count"}[act.verb]] += 1

    async def _seen(self, by: str, key: str) -> str:
        """The id that a post has where ``by`` is, once it has arrived there by itself."""
        server, post = self._server(by), self._posts[key]
        if server is self._server(self._authors[key]):
            return str(post["id"])
        found: list[str] = []

        async def arrived() -> bool:
            asked = {"q": post["uri"], "type": "statuses"}
            answer = await server.api("GET", "/api/v2/search", by=by, params=asked)
            found.extend(str(status["id"]) for status in answer["statuses"])
            return bool(found)

        await _until(arrived, f"“{post['uri']}” to reach {server.brand.name}")
        return found[0]

    async def settle(self) -> None:
        """Every answer, like and boost has reached the server of the post that it is about."""

        async def counted() -> bool:
            for key, expected in self._counts.items():
                author = self._authors[key]
                path = f"/api/v1/statuses/{self._posts[key]['id']}"
                status = await self._server(author).api("GET", path, by=author)
                if any(status[name] < count for name, count in expected.items()):
                    return False
            return True

        await _until(counted, "likes, boosts and answers to arrive")


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """The condition holds. Raises DemoError when it does not within 30 s."""
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError(f"Waited {WAIT_SECONDS:.0f} s in vain for {what}.")
        await asyncio.sleep(0.1)
