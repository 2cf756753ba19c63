"""This instance's own emoji, and those of others in names, over real HTTP."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Connection

from fediverse import clock, emojis, keys, media
from fediverse.errors import FediverseError
from fediverse.media.emojis import prepare
from tests.peers import scripted
from tests.support.commands import Commands
from tests.support.entities import assert_entity
from tests.support.instance import Instance


def picture(format_: str = "PNG", *, side: int = 16, frames: int = 1) -> bytes:
    shown = [Image.new("RGBA", (side, side), (number * 40, 0, 200, 128)) for number in range(frames)]
    out = BytesIO()
    shown[0].save(out, format_, **({"save_all": True, "append_images": shown[1:]} if frames > 1 else {}))
    return out.getvalue()


async def _add(instance: Instance, name: str, data: bytes, category: str = "") -> tuple[str, str]:
    key, still = await media.store_emoji(instance.database, instance.app[keys.PICTURES], data)

    def add(tx: Connection) -> None:
        emojis.add(tx, name, picture=key, still=still, category=category, now=clock.now())

    await instance.database.write(add)
    return key, still


async def test_own_emoji_show_and_federate(instance: Instance) -> None:
    alice = await instance.account("alice")
    assert await instance.call("GET", "/api/v1/custom_emojis") == []
    key, _ = await _add(instance, "cat", picture(), "Animals")
    moving, still = await _add(instance, "dance_2", picture("GIF", frames=3))
    assert moving != still
    offered = await instance.call("GET", "/api/v1/custom_emojis")
    for emoji in offered:
        assert_entity("CustomEmoji", emoji)
    assert [(one["shortcode"], one["category"]) for one in offered] == [("dance_2", None), ("cat", "Animals")]
    assert offered[0]["url"] != offered[0]["static_url"]
    for address in (offered[0]["url"], offered[1]["static_url"]):
        async with instance.http.get(address) as answer:
            assert answer.status == 200
            assert answer.content_type in {"image/png", "image/webp"}

    status = await instance.post(alice, "A :cat: :dog: x:cat: :dance_2:", spoiler_text=":cat:")
    assert [emoji["shortcode"] for emoji in status["emojis"]] == ["cat", "dance_2"]
    assert status["emojis"][0]["url"] == f"{instance.url}/media/{key}"
    async with instance.http.get(status["uri"], headers={"Accept": "application/activity+json"}) as answer:
        note = await answer.json(content_type=None)
    tags = {tag["name"]: tag["icon"]["url"] for tag in note["tag"] if tag["type"] == "Emoji"}
    assert tags == {":cat:": f"{instance.url}/media/{key}", ":dance_2:": f"{instance.url}/media/{moving}"}
    async with instance.http.get(status["url"]) as answer:
        assert f"/media/{key}" in await answer.text()
    edited = await instance.call("PUT", f"/api/v1/statuses/{status['id']}", by=alice, json={"status": "none"})
    assert edited["emojis"] == []
    polled = await instance.post(alice, "which", poll={"options": [":cat:", "b"], "expires_in": 600})
    assert polled["poll"]["emojis"][0]["shortcode"] == "cat"

    profile = {"display_name": "Alice :cat:", "note": ":dance_2:"}
    me = await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, json=profile)
    assert [emoji["shortcode"] for emoji in me["emojis"]] == ["cat", "dance_2"]
    async with instance.http.get(alice.uri, headers={"Accept": "application/activity+json"}) as answer:
        assert [tag["name"] for tag in (await answer.json(content_type=None))["tag"]] == [":cat:", ":dance_2:"]
    me = await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, json={"note": ""})
    assert [emoji["shortcode"] for emoji in me["emojis"]] == ["cat"]

    assert await instance.database.write(emojis.remove, ":cat:")
    assert not await instance.database.write(emojis.remove, "cat")
    assert (await instance.post(alice, ":cat:"))["emojis"] == []
    async with instance.http.get(f"{instance.url}/media/{key}") as answer:
        assert answer.status == 200  # what was posted keeps it


async def test_names_of_others_have_their_emoji(instance: Instance, peer: scripted.Server) -> None:
    alice = await instance.account("alice")
    icon = {"type": "Image", "mediaType": "image/png", "url": f"{peer.url}/cat.png"}
    bob = peer.actor("bob", name="Bob :cat:", tag=[{"type": "Emoji", "name": ":cat:", "icon": icon}])
    found = await instance.find(alice, bob.handle)
    (emoji,) = found["emojis"]
    assert_entity("CustomEmoji", emoji)
    assert emoji["url"].startswith(f"{instance.url}/proxy/")


def test_emoji_from_the_command_line(commands: Commands, tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(picture())
    assert commands.run("emoji", "add", ":cat:", str(file), "--category", "Animals") == ":cat: is there.\n"
    commands.run("emoji", "add", "cat", str(file))
    assert commands.run("emoji", "list") == ":cat:\n"
    commands.run("emoji", "remove", "cat")
    assert commands.refusal("emoji", "remove", "cat")
    assert commands.refusal("emoji", "add", "c", str(file))
    assert commands.refusal("emoji", "add", "cat", str(Path(__file__)))


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\nrubbish", b"x" * 300_000, picture(side=600)],
    ids=["nothing", "svg", "damaged", "large", "wide"],
)
def test_what_is_no_emoji(data: bytes) -> None:
    with pytest.raises(FediverseError):
        prepare(data)


def test_only_pixels_pass() -> None:
    moving, still = prepare(picture("WEBP", frames=2))
    assert (moving.content_type, still.content_type) == ("image/webp", "image/png")
    once, same = prepare(picture("GIF") + b"<script>")
    assert once is same
    assert b"<script>" not in once.data
