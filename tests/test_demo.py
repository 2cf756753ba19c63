"""The demo's story can be told: its posts fit, its people exist, nobody acts on what was not said."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from fediverse.access import passwords
from fediverse.actors import directory
from fediverse.instance import InstanceInfo
from fediverse.media import prepare
from fediverse.text import check_length
from tools.demo import pictures, story
from tools.demo.servers import HOST, DemoError, Server, check_ports

PEOPLE = [person for brand in story.BRANDS for person in brand.people]
POSTS = [line for line in story.SCRIPT if isinstance(line, story.Post)]


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.key)
def test_posts_fit_and_name_people_in_full(post: story.Post) -> None:
    text = story.words(post)
    check_length(text, post.warning)
    elsewhere = [person.key for person in PEOPLE if story.brand_of(person.key) is not story.brand_of(post.by)]
    for key in elsewhere:
        assert text.count(f"@{key}") == text.count(f"@{key}@{HOST}:{story.brand_of(key).port}")


def test_people_can_be_made_and_do_only_what_is_possible() -> None:
    names = {person.key for person in PEOPLE}
    assert len(names) == len(PEOPLE)
    for name in names:
        directory.check_username(name)
    passwords.check(story.PASSWORD)
    said: set[str] = set()
    for line in story.SCRIPT:
        assert line.by in names
        if isinstance(line, story.Post):
            assert not line.reply_to or line.reply_to in said
            said.add(line.key)
        else:
            assert line.post in said
    for follower, followee in story.FOLLOWS:
        assert follower != followee
        assert {follower, followee} <= names
    across = [(a, b) for a, b in story.FOLLOWS if story.brand_of(a) is not story.brand_of(b)]
    assert {story.brand_of(a).name for a, _ in across} == {brand.name for brand in story.BRANDS}


def test_brands_look_different_and_their_pictures_are_taken() -> None:
    assert len({brand.colour for brand in story.BRANDS}) == len(story.BRANDS)
    for brand in story.BRANDS:
        assert brand.colour != InstanceInfo().colour
        logo = prepare(brand.logo(brand.colour), "logo")
        assert logo.extension == "png"  # its corners are transparent
        for person in brand.people:
            avatar = pictures.avatar(person.initials, person.colour)
            assert len(Image.open(BytesIO(avatar)).resize((20, 20)).getcolors() or []) > 10
            assert prepare(avatar, "avatar").width == 400
            assert prepare(pictures.header(person.colour), "header").width == 1500


def test_a_busy_port_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr("tools.demo.servers.BRANDS", [replace(story.NORTHWIND, port=port)])
        with pytest.raises(DemoError, match=f"Port {port} of 127.0.0.1 is in use: stop what"):
            check_ports()


async def test_only_folders_of_the_demo_are_emptied(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        server = Server(story.NORTHWIND, tmp_path / "demo-1", http)
        await asyncio.to_thread(server.make_folder)
        (server.folder / "old").touch()
        await asyncio.to_thread(server.make_folder)
        assert not (server.folder / "old").exists()
        precious = Server(story.NORTHWIND, tmp_path / "precious", http)
        precious.folder.mkdir()
        (precious.folder / "letters").touch()
        with pytest.raises(DemoError, match="was not made by the demo"):
            await asyncio.to_thread(precious.make_folder)
        assert (precious.folder / "letters").exists()
