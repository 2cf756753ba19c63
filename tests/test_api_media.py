"""Files through the client API: taken, described, posted, edited, deleted, swept; and everything that is refused."""

from __future__ import annotations

import asyncio
import functools
import io
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import av
import pillow_heif
import pytest
from aiohttp import FormData
from limits import parse
from PIL import Image

from fediverse import clock, decoding, keys, media, moderation, scheduled
from fediverse.actors import closing, directory
from fediverse.clock import DAY, HOUR, rfc3339
from fediverse.decoding import limits
from fediverse.slowness import Patience
from tests.conftest import MakeInstance
from tests.peers.scripted import PUBLIC, Server
from tests.support.browser import Browser
from tests.support.entities import assert_entity
from tests.support.files import clip, declared_png, form, gif, picture
from tests.support.instance import Account, Instance
from tests.test_inbox_conversation import deliver, followed

ACTIVITY = {"Accept": "application/activity+json"}


async def upload(instance: Instance, by: Account, data: bytes, status: int = 200, **fields: Any) -> Any:
    return await instance.call("POST", "/api/v2/media", by=by, status=status, data=form(data, **fields))


async def fetch(instance: Instance, url: str, **headers: str) -> tuple[int, bytes, Any]:
    async with instance.http.get(url, headers=headers) as response:
        return response.status, await response.read(), response.headers


def files(instance: Instance) -> int:
    folder = instance.settings.data_dir / "media"
    return len(list(folder.iterdir())) if folder.exists() else 0


@pytest.mark.attack("PRV-11", "MED-06")
async def test_a_picture_from_upload_to_deletion(instance: Instance) -> None:
    alice = await instance.account("alice")
    sent = await upload(instance, alice, picture(size=(800, 600)), description="A red corner\t ", focus="-0.5,0.5")
    assert_entity("MediaAttachment", sent)
    assert (sent["type"], sent["description"], sent["remote_url"]) == ("image", "A red corner", None)
    original, small = sent["meta"]["original"], sent["meta"]["small"]
    assert (original["size"], original["aspect"], sent["meta"]["focus"]) == ("800x600", 1.3333, {"x": -0.5, "y": 0.5})
    assert small["width"] * small["height"] <= 640 * 360
    assert len(sent["blurhash"]) > 6
    for url in (sent["url"], sent["preview_url"]):
        status, body, headers = await fetch(instance, url)
        assert (status, headers["Content-Type"], media.sniff(body)) == (200, "image/jpeg", "image/jpeg")
        assert (headers["X-Content-Type-Options"], headers["Content-Disposition"]) == ("nosniff", "inline")
        assert "sandbox" in headers["Content-Security-Policy"]

    key = {"Idempotency-Key": "once"}
    fields = {"json": {"status": "", "media_ids": [sent["id"]]}, "headers": key}
    posted = await instance.call("POST", "/api/v1/statuses", by=alice, **fields)
    assert (posted["content"], posted["media_attachments"]) == ("", [sent])
    assert (await instance.call("POST", "/api/v1/statuses", by=alice, **fields))["id"] == posted["id"]
    (only,) = await instance.call("GET", f"/api/v1/accounts/{alice.id}/statuses", by=alice, params={"only_media": "1"})
    assert only["id"] == posted["id"]
    note = await instance.call("GET", posted["uri"].removeprefix(instance.url), headers=ACTIVITY)
    (document,) = note["attachment"]
    assert document == {
        "type": "Document",
        "mediaType": "image/jpeg",
        "url": sent["url"],
        "name": "A red corner",
        "summary": "A red corner",
        "blurhash": sent["blurhash"],
        "width": 800,
        "height": 600,
        "focalPoint": [-0.5, 0.5],
    }
    async with Browser(instance.url) as browser:
        page = await browser.get(f"/@alice/{posted['id']}")
        shown = [e for e in page.all("img") if e.get("alt") == "A red corner"]
        assert [instance.url + str(e.get("src")) for e in shown] == [sent["preview_url"]]
        assert any(e.get("content") == sent["preview_url"] for e in page.all("meta"))
        feed = await browser.get("/@alice.atom")
        assert sent["url"] in feed.text
        assert "A red corner" in feed.text

    gone = await instance.call("DELETE", f"/api/v1/statuses/{posted['id']}", by=alice)
    assert gone["media_attachments"] == [sent]
    await instance.tick()
    for url in (sent["url"], sent["preview_url"]):
        assert (await fetch(instance, url))[0] == 404
    again = await instance.post(alice, "Written anew", media_ids=[sent["id"]])
    assert (await fetch(instance, sent["url"]))[0] == 200
    await instance.call("DELETE", f"/api/v1/statuses/{again['id']}", by=alice, params={"delete_media": "true"})
    assert (await fetch(instance, sent["url"]))[0] == 404
    await instance.tick()
    assert files(instance) == 0
    await instance.post(alice, "Too late", media_ids=[sent["id"]], status=422)


async def test_a_video_is_processed_in_the_background(instance: Instance) -> None:
    alice = await instance.account("alice")
    sent = await upload(instance, alice, clip("webm", "libvpx", "libopus"), 202, thumbnail=picture("PNG", (90, 60)))
    assert_entity("MediaAttachment", sent)
    assert (sent["type"], sent["url"], sent["meta"]["small"]["size"]) == ("video", None, "90x60")
    one = f"/api/v1/media/{sent['id']}"
    assert (await instance.call("GET", one, by=alice, status=206))["url"] is None
    refusal = await instance.post(alice, "Too early", media_ids=[sent["id"]], status=422)
    assert "processed" in refusal["error"]
    changed = await instance.call("PUT", one, by=alice, json={"description": "Colours", "focus": "0.1,-2"})
    assert (changed["description"], changed["meta"]["focus"]) == ("Colours", {"x": 0.1, "y": -1.0})
    await instance.tick()
    ready = await instance.call("GET", one, by=alice, status=200)
    meta = ready["meta"]
    assert (meta["length"], meta["fps"], meta["size"], meta["original"]["frame_rate"]) == (
        "0:00:01.00",
        10,
        "64x48",
        "10/1",
    )
    assert (meta["focus"], meta["audio_encode"], ready["description"]) == ({"x": 0.1, "y": -1.0}, "aac", "Colours")
    status, body, headers = await fetch(instance, ready["url"], Range="bytes=0-1")
    assert (status, len(body), headers["Content-Type"]) == (206, 2, "video/mp4")
    size = int(headers["Content-Range"].rpartition("/")[2])
    assert headers["Content-Range"] == f"bytes 0-1/{size}"
    whole = (await fetch(instance, ready["url"]))[1]
    assert len(whole) == size
    for wanted, expected in (("bytes=5-", whole[5:]), ("bytes=-7", whole[-7:]), (f"bytes=3-{size * 9}", whole[3:])):
        assert (await fetch(instance, ready["url"], Range=wanted))[:2] == (206, expected)
    for wanted in ("bytes=0-1,4-5", "lines=0-1", "bytes=5-2", "bytes=x-"):
        assert (await fetch(instance, ready["url"], Range=wanted))[:2] == (200, whole)
    assert (await fetch(instance, ready["url"], Range=f"bytes={size}-"))[0] == 416
    assert (await fetch(instance, ready["url"], Range="bytes=0-1", **{"If-Range": '"other"'}))[0] == 200
    with av.open(io.BytesIO(whole)) as made:
        assert [s.codec_context.name for s in made.streams] == ["h264", "aac"]
    posted = await instance.post(alice, "A video", media_ids=[sent["id"]])
    async with Browser(instance.url) as browser:
        (video,) = (await browser.get(f"/@alice/{posted['id']}")).all("video")
        assert (instance.url + str(video.get("src")), video.get("aria-label")) == (ready["url"], "Colours")
        assert video.get("controls") is not None
    note = await instance.call("GET", posted["uri"].removeprefix(instance.url), headers=ACTIVITY)
    (document,) = note["attachment"]
    assert (document["duration"], document["icon"]["url"]) == ("PT1S", ready["preview_url"])


async def test_gifs_sounds_and_what_cannot_be_converted(instance: Instance) -> None:
    alice = await instance.account("alice")
    still = await upload(instance, alice, gif(1))
    assert (still["type"], still["url"][-4:]) == ("image", ".png")
    moving = await upload(instance, alice, gif(4), 202)
    sound = await upload(instance, alice, clip("mp3", None, "libmp3lame"), 202)
    cut_off = clip("mp4", "libx264", None)
    at = cut_off.index(b"mdat") + 4
    broken = cut_off[:at] + cut_off[at : at + 900] + bytes(len(cut_off) - at - 900)
    await instance.tick()
    moving, sound = [await instance.call("GET", f"/api/v1/media/{m['id']}", by=alice) for m in (moving, sound)]
    assert (moving["type"], moving["url"][-4:], moving["meta"]["length"]) == ("gifv", ".mp4", "0:00:00.40")
    assert "audio_encode" not in moving["meta"]
    assert (sound["type"], sound["url"][-4:], sound["preview_url"]) == ("audio", ".mp3", None)
    assert (await fetch(instance, sound["url"]))[2]["Content-Type"] == "audio/mpeg"
    for ids in ([moving["id"], still["id"]], [sound["id"], still["id"]], ["1"], ["x"], [still["id"], "99"]):
        await instance.post(alice, "No", media_ids=ids, status=422)
    poll = {"options": ["a", "b"], "expires_in": 300}
    await instance.post(alice, "No", media_ids=[still["id"]], poll=poll, status=422)
    posted = await instance.post(alice, "A sound", media_ids=[sound["id"]])
    async with Browser(instance.url) as browser:
        assert len((await browser.get(f"/@alice/{posted['id']}")).all("audio")) == 1
    async with instance.http.post(f"{instance.url}/api/v2/media", headers=alice.headers, data=form(broken)) as response:
        if response.status == 202:  # it begins well
            answer = await response.json()
            await instance.tick()
            failed = await instance.call("GET", f"/api/v1/media/{answer['id']}", by=alice, status=422)
            assert failed["error"].endswith(".")
            await instance.post(alice, "No", media_ids=[answer["id"]], status=422)
        else:
            assert response.status == 422


@pytest.mark.attack("API-01")
async def test_nobody_touches_files_of_others_or_of_posts(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    mine, other = await upload(instance, alice, picture()), await upload(instance, alice, picture())
    one = f"/api/v1/media/{mine['id']}"
    for method in ("GET", "PUT", "DELETE"):
        await instance.call(method, one, by=bob, status=404, json={})
        await instance.call(method, one, status=401, json={})
        for bad in ("0", "abc", "99999999999999999999", "-1", "1.5", "%00"):
            await instance.call(method, f"/api/v1/media/{bad}", by=alice, status=404, json={})
    await instance.post(bob, "Not mine", media_ids=[mine["id"]], status=422)
    theirs = await instance.post(bob, "Mine")
    attributes = {"status": "x", "media_attributes": [{"id": mine["id"], "description": "stolen"}]}
    await instance.call("PUT", f"/api/v1/statuses/{theirs['id']}", by=bob, json=attributes, status=422)
    posted = await instance.post(alice, "With a picture", media_ids=[mine["id"], mine["id"]])
    assert len(posted["media_attachments"]) == 1
    await instance.post(alice, "Again", media_ids=[mine["id"]], status=422)
    for method in ("PUT", "DELETE"):
        assert "post" in (await instance.call(method, one, by=alice, status=422, json={}))["error"]
    shown = await instance.call("GET", one, by=alice)
    assert shown["description"] is None
    await instance.call("DELETE", f"/api/v1/media/{other['id']}", by=alice)
    await instance.call("GET", f"/api/v1/media/{other['id']}", by=alice, status=404)
    await instance.tick()
    assert files(instance) == 2


async def test_an_edit_names_the_files_anew(instance: Instance) -> None:
    alice = await instance.account("alice")
    first, second = await upload(instance, alice, picture()), await upload(instance, alice, picture("PNG"))
    posted = await instance.post(alice, "Two", media_ids=[first["id"], second["id"]])
    path = f"/api/v1/statuses/{posted['id']}"
    thumbnail = "data:image/png;base64," + b64encode(picture("PNG", (120, 60))).decode()
    described = {"id": first["id"], "description": "First", "focus": "1,1", "thumbnail": thumbnail}
    edit = {"status": "Two", "media_ids": [second["id"], first["id"]], "media_attributes": [described]}
    edited = await instance.call("PUT", path, by=alice, json=edit)
    assert [m["id"] for m in edited["media_attachments"]] == [second["id"], first["id"]]
    changed = edited["media_attachments"][1]
    assert (changed["description"], changed["meta"]["focus"], changed["meta"]["small"]["size"]) == (
        "First",
        {"x": 1.0, "y": 1.0},
        "120x60",
    )
    assert edited["edited_at"]
    await instance.call("PUT", path, by=alice, json={"status": "", "media_ids": []}, status=422)
    form_fields = [("media_ids[]", second["id"]), ("status", "")]
    alone = await instance.call("PUT", path, by=alice, data=form_fields)
    assert [m["id"] for m in alone["media_attachments"]] == [second["id"]]
    back = await instance.call("PUT", path, by=alice, json={"status": "One", "media_ids": [first["id"]]})
    assert [m["description"] for m in back["media_attachments"]] == ["First"]
    assert (await instance.call("PUT", path, by=alice, json={"status": "None"}))["media_attachments"] == []
    history = await instance.call("GET", f"{path}/history", by=alice)
    assert [[m["id"] for m in version["media_attachments"]] for version in history] == [
        [first["id"], second["id"]],
        [second["id"], first["id"]],
        [second["id"]],
        [first["id"]],
        [],
    ]
    assert_entity("StatusEdit", history[0])
    assert (await fetch(instance, history[0]["media_attachments"][0]["preview_url"]))[0] == 200
    await instance.call("DELETE", path, by=alice, params={"delete_media": "1"})
    await instance.tick()
    assert files(instance) == 0


@pytest.mark.attack("MED-01", "MED-02", "MED-04")
async def test_what_is_not_taken_is_refused_in_a_sentence(instance: Instance) -> None:
    alice = await instance.account("alice")
    refused: list[tuple[bytes, dict[str, Any]]] = [
        (b"", {}),
        (b"<!doctype html><script>alert(1)</script>", {"kind": "image/png", "filename": "x.png"}),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', {"kind": "image/svg+xml"}),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n", {"kind": "video/mp4"}),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", {"kind": "video/mp4"}),
        (b"%PDF-1.7", {}),
        (b"\xff\xd8\xff" + b"<script>" * 10, {}),
        (b"\0\0\0\x18ftypisom" + b"<script>" * 10, {}),
        (b"\x1a\x45\xdf\xa3" + bytes(40), {}),
        (b"OggS" + b"<script>" * 20, {}),
        (declared_png(50_000, 50_000), {}),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3f\0" * 2 + bytes(20), {}),
        (picture("PNG", (60, 60))[:-40], {}),
        (picture(), {"description": "x" * 1501}),
        (picture(), {"focus": "nan,1"}),
        (picture(), {"focus": "1"}),
        (picture(), {"thumbnail": b"<svg/>"}),
    ]
    for data, fields in refused:
        error = (await upload(instance, alice, data, 422, **fields))["error"]
        assert error.endswith("."), data[:40]
    for nothing in ({"json": {}}, {"data": {"file": "words"}}, {"data": {"description": "x"}}, {}):
        await instance.call("POST", "/api/v2/media", by=alice, status=422, **nothing)
    await instance.call(
        "POST",
        "/api/v2/media",
        by=alice,
        status=400,
        data=b"--x\r\nnonsense",
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert files(instance) == 0
    taken = await upload(
        instance, alice, picture() + b"<script>MARKER</script>", filename="../../../etc/x.php%00\\.html"
    )
    body = (await fetch(instance, taken["url"]))[1]
    assert b"MARKER" not in body
    assert taken["url"].endswith(".jpg")
    assert list((instance.settings.data_dir / "work").iterdir()) == []


@pytest.mark.attack("MED-04")
async def test_too_much_is_refused_while_it_arrives(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = await instance.account("alice")
    monkeypatch.setattr("fediverse.api.media._FILES", {"file": 1 << 20, "thumbnail": 1 << 20})
    assert "MB" in (await upload(instance, alice, picture() + bytes(2 << 20), 422))["error"]
    assert list((instance.settings.data_dir / "work").iterdir()) == []
    limited = await instance.call("GET", "/api/v2/instance")
    told = limited["configuration"]["media_attachments"]
    assert (told["image_size_limit"], told["video_size_limit"]) == (limits.PICTURE_BYTES, limits.CLIP_BYTES)
    assert limited["configuration"]["statuses"]["max_media_attachments"] == 4
    assert "image/heic" in told["supported_mime_types"]


@pytest.mark.attack("MED-05")
async def test_nothing_tells_where_it_was_taken(instance: Instance) -> None:
    alice = await instance.account("alice")
    image = Image.new("RGB", (80, 40), "white")
    image.paste("red", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "MARKER"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 15.0)
    samples = []
    for format, options in (("JPEG", {"comment": b"MARKER"}), ("PNG", {}), ("WEBP", {"xmp": b"MARKER"}), ("AVIF", {})):
        out = io.BytesIO()
        image.save(out, format, exif=exif, **options)
        samples.append(out.getvalue())
    turned, out = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    pillow_heif.from_pillow(image).save(out, exif=turned.tobytes(), xmp=b"MARKER")
    samples.append(out.getvalue())
    for data in samples:
        assert b"MARKER" in data
        sent = await upload(instance, alice, data)
        for url in (sent["url"], sent["preview_url"]):
            body = (await fetch(instance, url))[1]
            assert b"MARKER" not in body
            assert b"Exif" not in body
            with Image.open(io.BytesIO(body)) as shown:
                assert (shown.size, dict(shown.getexif())) == ((40, 80), {})
                red, white = shown.convert("RGB").getpixel((20, 15)), shown.convert("RGB").getpixel((20, 65))
                assert isinstance(red, tuple)
                assert isinstance(white, tuple)
                assert red[1] < 90 < white[1]
    words = (("location", "+48.1351+011.5820/"), ("title", "MARKER"), ("comment", "MARKER"))
    film = clip("mov", words=words, turned=90)
    assert b"+48.1351" in film
    assert b"MARKER" in film
    sent = await upload(instance, alice, film, 202)
    await instance.tick()
    sent = await instance.call("GET", f"/api/v1/media/{sent['id']}", by=alice)
    body = (await fetch(instance, sent["url"]))[1]
    assert b"+48.1351" not in body
    assert b"MARKER" not in body
    assert (sent["meta"]["size"], sent["meta"]["small"]["size"]) == ("48x64", "48x64")  # it stands upright


async def test_what_no_post_takes_is_swept_after_a_day(instance: Instance) -> None:
    alice = await instance.account("alice")
    loose, kept, held = [await upload(instance, alice, picture()) for _ in range(3)]
    await instance.post(alice, "Kept", media_ids=[kept["id"]])
    await instance.database.write(media.attachments.hold, 7, [int(held["id"])])
    now = clock.now()

    async def sweep(later: int) -> int:
        return await instance.database.write(media.attachments.sweep, now=now + later)

    assert await sweep(23 * HOUR) == 0
    assert await sweep(DAY + HOUR) == 1
    await instance.call("GET", f"/api/v1/media/{loose['id']}", by=alice, status=404)
    await instance.post(alice, "Not now", media_ids=[held["id"]], status=422)
    await instance.database.write(media.attachments.let_go, 7, now=now)
    assert await sweep(DAY + HOUR) == 1
    await instance.tick()
    assert files(instance) == 2


@pytest.mark.attack("PRV-11")
async def test_an_account_that_closes_takes_its_files_along(instance: Instance) -> None:
    alice = await instance.account("alice")
    sent = await upload(instance, alice, picture())
    await instance.post(alice, "Bye", media_ids=[sent["id"]])

    def close(tx: Any) -> None:
        row = directory.by_id(tx, alice.id)
        assert row is not None
        closing.close(tx, instance.settings.urls, row, now=clock.now())

    for suspended, status in ((True, 404), (False, 200)):
        await instance.database.write(moderation.set_suspended, alice.id, suspended, now=clock.now())
        assert (await fetch(instance, sent["url"]))[0] == status
    await instance.database.write(close)
    assert (await fetch(instance, sent["url"]))[0] == 404
    await instance.tick()
    assert files(instance) == 0


async def test_what_is_interrupted_is_converted_again(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = await instance.account("alice")
    sent, dropped = await upload(instance, alice, gif(3), 202), await upload(instance, alice, gif(4), 202)
    convert = functools.partial(
        media.uploads.convert, instance.database, instance.app[keys.PICTURES], instance.settings.workplace
    )
    real = decoding.run

    async def killed(task: str, **options: Any) -> dict[str, Any]:
        await real(task, **options)
        raise asyncio.CancelledError

    async def deleted_meanwhile(task: str, **options: Any) -> dict[str, Any]:
        await instance.call("DELETE", f"/api/v1/media/{dropped['id']}", by=alice)
        return await real(task, **options)

    monkeypatch.setattr(decoding, "run", killed)
    with pytest.raises(asyncio.CancelledError):
        await convert(int(sent["id"]))
    monkeypatch.setattr(decoding, "run", deleted_meanwhile)
    await convert(int(dropped["id"]))
    monkeypatch.setattr(decoding, "run", real)
    assert list(instance.settings.workplace.iterdir()) == []
    (instance.settings.workplace / "left").mkdir()  # as by a process that was killed
    media.uploads.tidy(instance.settings.workplace, now=time.time() + 3600)
    assert len(list(instance.settings.workplace.iterdir())) == 1
    media.uploads.tidy(instance.settings.workplace, now=time.time() + 4 * 3600)
    assert list(instance.settings.workplace.iterdir()) == []
    await instance.tick()
    ready = await instance.call("GET", f"/api/v1/media/{sent['id']}", by=alice)
    assert (await fetch(instance, ready["url"]))[0] == 200
    assert files(instance) == 2


async def test_a_post_that_waits_keeps_its_files(instance: Instance) -> None:
    alice = await instance.account("alice")
    first, second = [await upload(instance, alice, picture(), description="Waits") for _ in range(2)]
    at = rfc3339(clock.now() + HOUR)
    waiting = await instance.post(alice, "", media_ids=[first["id"]], scheduled_at=at)
    assert_entity("ScheduledStatus", waiting)
    assert (waiting["media_attachments"], waiting["params"]["media_ids"]) == ([first], [first["id"]])
    for method in ("PUT", "DELETE"):
        await instance.call(method, f"/api/v1/media/{first['id']}", by=alice, json={}, status=422)
    await instance.post(alice, "Mine", media_ids=[first["id"]], status=422)
    await instance.database.write(
        scheduled.post, instance.settings.urls, int(waiting["id"]), mentions=[], now=clock.now() + 2 * HOUR
    )
    (posted,) = await instance.call("GET", f"/api/v1/accounts/{alice.id}/statuses", by=alice)
    assert posted["media_attachments"] == [first]
    waiting = await instance.post(alice, "Cancelled", media_ids=[second["id"]], scheduled_at=at)
    await instance.call("DELETE", f"/api/v1/scheduled_statuses/{waiting['id']}", by=alice)
    await instance.post(alice, "Now", media_ids=[second["id"]])


async def test_nobody_sends_files_without_end(make_instance: MakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fediverse.api.limits.FILES", parse("5 per 30 minutes"))
    instance = await make_instance(rate_limits="on")
    alice, bob = await instance.account("alice"), await instance.account("bob")
    await upload(instance, alice, b"nothing", 422)
    mine, other = await upload(instance, alice, picture()), await upload(instance, alice, picture())
    posted = await instance.post(alice, "x", media_ids=[mine["id"], other["id"]])
    kept = files(instance)

    # Thumbnails and pictures of a profile are decoded as well; and what is refused leaves nothing behind.
    def thumbnail(data: bytes) -> str:
        return "data:image/png;base64," + b64encode(data).decode()

    path = f"/api/v1/statuses/{posted['id']}"
    good, bad = thumbnail(picture("PNG", (120, 60))), thumbnail(b"nothing")
    described = [{"id": mine["id"], "thumbnail": good}, {"id": other["id"], "thumbnail": bad}]
    edit = {"status": "x", "media_ids": [mine["id"], other["id"]], "media_attributes": described}
    await instance.call("PUT", path, by=alice, json=edit, status=422)
    await instance.tick()
    assert files(instance) == kept
    refused = await instance.call("PUT", path, by=alice, json=edit, status=429)
    assert "Wait" in refused["error"]
    await upload(instance, alice, picture(), 429)
    avatar = FormData()
    avatar.add_field("avatar", picture(), filename="a.jpg", content_type="image/jpeg")
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, data=avatar, status=429)
    await instance.call("PUT", path, by=alice, json={**edit, "media_attributes": []})
    assert files(instance) == kept
    await upload(instance, bob, picture())


async def test_a_large_file_may_come_slowly_from_somebody_who_is_known(make_instance: MakeInstance) -> None:
    instance = await make_instance(patience=Patience(head=5, body=0.3))
    alice = await instance.account("alice")
    form_ = form(picture())()
    sink = io.BytesIO()

    class Sink:
        async def write(self, chunk: bytes) -> None:
            sink.write(chunk)

    await form_.write(Sink())  # type: ignore[arg-type]
    body = sink.getvalue()

    async def slowly() -> AsyncIterator[bytes]:
        for start in range(0, len(body), len(body) // 4 + 1):
            yield body[start : start + len(body) // 4 + 1]
            await asyncio.sleep(0.15)

    headers = {"Content-Type": form_.content_type, "Content-Length": str(len(body))}
    sent = await instance.call("POST", "/api/v2/media", by=alice, data=slowly(), headers=headers)
    assert sent["type"] == "image"
    await instance.call("POST", "/api/v2/media", status=401, data=slowly(), headers=headers)
    await instance.call(
        "PATCH", "/api/v1/accounts/update_credentials", by=alice, status=408, data=slowly(), headers=headers
    )


async def test_the_older_endpoint_answers_when_all_is_done(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = await instance.account("alice")
    sent = await instance.call("POST", "/api/v1/media", by=alice, status=200, data=form(picture()))
    assert sent["url"]
    monkeypatch.setattr("fediverse.api.media._WAIT_SECONDS", 0.0)
    waiting = await instance.call("POST", "/api/v1/media", by=alice, status=202, data=form(gif(3)))
    assert waiting["url"] is None
    monkeypatch.setattr("fediverse.api.media._WAIT_SECONDS", 30.0)

    async def work(_seconds: float) -> None:
        await instance.tick()

    monkeypatch.setattr("fediverse.api.media.asyncio.sleep", work)
    done = await instance.call("POST", "/api/v1/media", by=alice, status=200, data=form(gif(4)))
    assert done["url"].endswith(".mp4")


async def test_files_are_kept_in_a_bucket_too(make_instance: MakeInstance) -> None:
    instance = await make_instance(media_url="memory:///")
    alice = await instance.account("alice")
    sent = await upload(instance, alice, gif(3), 202)
    await instance.tick()
    ready = await instance.call("GET", f"/api/v1/media/{sent['id']}", by=alice)
    status, body, headers = await fetch(instance, ready["url"], Range="bytes=4-7")
    assert (status, body, headers["Content-Type"]) == (206, b"ftyp", "video/mp4")
    await instance.call("DELETE", f"/api/v1/media/{sent['id']}", by=alice)
    await instance.tick()
    assert (await fetch(instance, ready["url"]))[0] == 404


async def test_media_of_other_servers_are_shown_through_the_proxy(instance: Instance, peer: Server) -> None:
    alice = await instance.account("alice")
    mallory = peer.actor("mallory")
    await followed(instance, alice, mallory)
    video = {
        "type": "Document",
        "mediaType": "video/mp4",
        "url": f"{peer.url}/v.mp4",
        "name": "A film",
        "focalPoint": [0.5, -0.5],
        "duration": "PT1M1.5S",
        "icon": {"type": "Image", "mediaType": "image/png", "url": f"{peer.url}/v.png"},
    }
    long = {"type": "Document", "mediaType": "video/mp4", "url": f"{peer.url}/long.mp4", "duration": "PT2H"}
    wrong = {
        "type": "Document",
        "mediaType": "image/png",
        "url": f"{peer.url}/p.png",
        "focalPoint": [9, "x"],
        "duration": "P1Y",
    }
    note = mallory.note("<p>Films</p>", attachment=[video, long, wrong], to=[PUBLIC])
    peer.serve(note)
    await deliver(instance, mallory, mallory.activity("Create", note))
    (status,) = await instance.home(alice)
    film, longer, plain = status["media_attachments"]
    assert film["url"].startswith(f"{instance.url}/proxy/")
    assert film["preview_url"].startswith(f"{instance.url}/proxy/")
    assert (film["remote_url"], film["preview_remote_url"]) == (f"{peer.url}/v.mp4", f"{peer.url}/v.png")
    assert film["meta"]["focus"] == {"x": 0.5, "y": -0.5}
    assert (film["meta"]["length"], film["description"]) == ("0:01:01.50", "A film")
    assert longer["url"] == longer["remote_url"]
    assert plain["meta"] == {}
    assert len({m["id"] for m in status["media_attachments"]}) == 3
    json.dumps(status)
