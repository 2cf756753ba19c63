"""toot's commands, each run in this process: they are a client of one person at a terminal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image
from toot.cli import cli

from tests.support.instance import Account, Instance


class Terminal:
    """Somebody's terminal with toot on it."""

    def __init__(self, instance: Instance, folder: Path, who: Account) -> None:
        config = {
            "apps": {
                instance.domain: {
                    "instance": instance.domain,
                    "base_url": instance.url,
                    "client_id": "x",
                    "client_secret": "x",
                }
            },
            "users": {
                f"{who.username}@{instance.domain}": {
                    "instance": instance.domain,
                    "username": who.username,
                    "access_token": who.token,
                }
            },
            "active_user": f"{who.username}@{instance.domain}",
        }
        self._folder = folder / who.username
        (self._folder / "toot").mkdir(parents=True)
        (self._folder / "toot" / "config.json").write_text(json.dumps(config))

    def _run(self, arguments: tuple[str, ...]) -> str:
        done = CliRunner(env={"XDG_CONFIG_HOME": str(self._folder), "NO_COLOR": "1"}).invoke(
            cli, arguments, input="q" * 40
        )
        assert done.exit_code == 0, f"toot {' '.join(arguments)}: {done.output} {done.exception!r}"
        return done.output

    async def __call__(self, *arguments: str) -> str:
        """What a command prints."""
        return await asyncio.to_thread(self._run, arguments)

    async def json(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(await self(*arguments, "--json"))


async def test_toots_commands(instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOOT_TESTING", raising=False)
    everything = "read write follow push"
    alice, bob = [await instance.account(name, scopes=everything) for name in ("alice", "bob")]
    toot, other = Terminal(instance, tmp_path, alice), Terminal(instance, tmp_path, bob)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 30), "red").save(picture)

    # Who one is, and the instance
    assert "alice" in await toot("whoami")
    assert instance.domain in await toot("auth")
    assert instance.domain in await toot("instance")
    assert "bob" in await toot("whois", "bob")
    changed = await toot.json(
        "update-account",
        "--display-name",
        "Alice A",
        "--note",
        "Hello",
        "--avatar",
        str(picture),
        "--privacy",
        "public",
    )
    assert changed["display_name"] == "Alice A"

    # Writing
    first = await toot.json("post", "About #coffee")
    assert "#coffee" in await toot("status", first["id"])
    assert await toot.json("upload", str(picture), "--description", "red")
    shown = await toot.json("post", "Look", "--media", str(picture), "--description", "all red")
    assert shown["media_attachments"][0]["description"] == "all red"
    reply = await other.json("post", "@alice indeed", "--reply-to", first["id"])
    await toot("post", "And more", "--reply-last")
    assert "indeed" in await toot("thread", first["id"])
    poll = await toot.json("post", "Which?", "--poll-option", "tea", "--poll-option", "coffee")
    await other("polls", "vote", poll["poll"]["id"], "1")
    assert "coffee" in await other("polls", "show", poll["poll"]["id"])
    await toot("post", "Later", "--scheduled-in", "1 hour")
    assert len(await instance.call("GET", "/api/v1/scheduled_statuses", by=alice)) == 1

    # What one does with posts
    for verb in ("favourite", "reblog", "bookmark"):
        await other(verb, first["id"])
    assert "bob" in await toot("reblogged-by", first["id"])
    assert "#coffee" in await other("bookmarks")
    assert "#coffee" in await other("timelines", "favourites", "--no-pager")
    for verb in ("unfavourite", "unreblog", "unbookmark"):
        await other(verb, first["id"])
    await toot("pin", first["id"])
    await toot("unpin", first["id"])

    # People
    await other("follow", "alice")
    assert "bob" in await toot("followers", "alice")
    assert "alice" in await other("following", "bob")
    await toot("update-account", "--locked")
    await other("unfollow", "alice")
    await other("follow", "alice")
    assert "bob" in await toot("follow-requests", "list")
    await toot("follow-requests", "accept", "bob")
    await toot("mute", "bob")
    assert "bob" in await toot("muted")
    await toot("unmute", "bob")
    await toot("block", "bob")
    assert "bob" in await toot("blocked")
    await toot("unblock", "bob")
    await other("follow", "alice")
    await toot("follow-requests", "reject", "bob")
    await toot("update-account", "--no-locked")
    await other("follow", "alice")

    # Timelines, lists, hashtags, notifications, search
    assert "Look" in await other("timelines", "home", "--no-pager")
    for timeline in (("public",), ("tag", "coffee"), ("account", "alice")):
        assert "coffee" in await other("timelines", *timeline, "--no-pager")
    await other("timelines", "trending", "--no-pager")
    await other("lists", "create", "Team")
    await other("lists", "add", "Team", "alice")
    assert "alice" in await other("lists", "accounts", "Team")
    await other("timelines", "list", "Team", "--no-pager")
    await other("lists", "remove", "Team", "alice")
    await other("lists", "delete", "Team")
    await other("tags", "follow", "coffee")
    assert "coffee" in (await other("tags", "followed")).lower()
    assert "coffee" in (await other("tags", "info", "coffee")).lower()
    await other("tags", "unfollow", "coffee")
    await toot("tags", "feature", "coffee")
    assert "coffee" in (await toot("tags", "featured")).lower()
    await toot("tags", "unfeature", "coffee")
    assert "bob" in await toot("notifications", "--type", "follow")
    await toot("notifications", "--clear")
    assert "alice" in await other("search", "alice")
    await toot("diag")
    await other("delete", reply["id"])
    await toot("delete", first["id"])
