"""What all of the client API has in common over HTTP: compression, caching, origins, limits, forms of parameters."""

from __future__ import annotations

import gzip
from typing import Any

import aiohttp
import orjson
import pytest
from limits import parse

from fediverse import access, clock, throttle
from fediverse.api.encoding import takes_gzip
from tests.conftest import MakeInstance
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("gzip", True), ("deflate, gzip;q=0.5, br", True), ("x-gzip", True), ("GZIP ; q=1", True),
        ("", False), ("br", False), ("gzip;q=0", False), ("gzip; q = 0.0", False), ("notgzip", False), ("*", False),
    ],
)  # fmt: skip
def test_who_takes_gzip(accepted: str, taken: bool) -> None:
    assert takes_gzip(accepted) is taken


async def test_long_answers_are_compressed_and_known_ones_are_not_sent_again(instance: Instance) -> None:
    mira = await instance.account("mira")
    for number in range(3):
        post = await instance.post(mira, f"post {number}")
    async with aiohttp.ClientSession(auto_decompress=False) as http:

        async def get(path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
            async with http.get(instance.url + path, headers={"Accept-Encoding": "identity", **headers}) as response:
                return response, await response.read()

        home = "/api/v1/timelines/home"
        plain, body = await get(home, **mira.headers)
        packed, smaller = await get(home, **mira.headers, **{"Accept-Encoding": "br, gzip"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert orjson.loads(gzip.decompress(smaller)) == orjson.loads(body)
        assert len(smaller) * 2 < len(body)
        assert int(packed.headers["Content-Length"]) == len(smaller)
        for response in (plain, packed):
            assert "Accept-Encoding" in response.headers["Vary"]
            assert response.headers["Cache-Control"] == "private, no-store"
            assert "ETag" not in response.headers, "what is somebody's own is in no cache"
        short, _ = await get("/api/v1/markers?timeline=home", **mira.headers, **{"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in short.headers

        repeated = (
            "/api/v2/instance", "/api/v1/instance", "/api/v1/custom_emojis", f"/api/v1/accounts/{mira.id}",
            f"/api/v1/statuses/{post['id']}", "/api/v1/timelines/public",
        )  # fmt: skip
        for path in repeated:
            first, body = await get(path)
            tag = first.headers["ETag"]
            again, nothing = await get(path, **{"If-None-Match": f'"x", {tag}', "Accept-Encoding": "gzip"})
            assert (first.status, again.status, nothing) == (200, 304, b"")
            assert again.headers["ETag"] == tag
            assert "Authorization" in again.headers["Vary"]
        other, _ = await get(path, **{"If-None-Match": '"x"'})
        assert other.status == 200
        await instance.call("DELETE", f"/api/v1/statuses/{post['id']}", by=mira)
        changed, body = await get(path, **{"If-None-Match": tag})
        assert changed.status == 200, "what was deleted shows to nobody any more"
        assert post["id"] not in [status["id"] for status in orjson.loads(body)]


async def test_other_origins_send_what_they_like_and_read_what_there_is(instance: Instance) -> None:
    headers = {
        "Origin": "https://client.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,idempotency-key,x-client",
    }
    async with instance.http.options(f"{instance.url}/api/v1/statuses/1", headers=headers) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Headers"] == "authorization,idempotency-key,x-client"
        assert "PUT" in response.headers["Access-Control-Allow-Methods"]
    headers["Access-Control-Request-Headers"] = "x\u00e4, <script>"
    async with instance.http.options(f"{instance.url}/api/v1/statuses/1", headers=headers) as response:
        assert "Idempotency-Key" in response.headers["Access-Control-Allow-Headers"]
    async with instance.http.get(f"{instance.url}/api/v1/nothing", headers=headers) as response:
        exposed = response.headers["Access-Control-Expose-Headers"]
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert all(name in exposed for name in ("Link", "ETag", "X-RateLimit-Reset", "X-Request-Id"))
        assert "Access-Control-Allow-Credentials" not in response.headers


async def test_limits_are_an_accounts_own(make_instance: MakeInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_EACH", parse("12 per 5 minutes"))
    monkeypatch.setattr(throttle, "_TAKEN_AWAY", parse("2 per 30 minutes"))
    limited = await make_instance(rate_limits="on")
    mira, noor = await limited.account("mira"), await limited.account("noor")

    def another(tx: Any) -> str:
        scopes = access.parse_scopes("read write")
        return access.token_create(tx, person_id=mira.person_id, actor_id=mira.id, scopes=scopes, now=clock.now())

    second = {"Authorization": f"Bearer {await limited.database.write(another)}"}

    async def ask(method: str, path: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        async with limited.http.request(method, limited.url + path, headers=headers) as response:
            return response

    posts = [await limited.post(mira, f"post {number}") for number in range(2)]
    for post, left in zip(posts, ("1", "0"), strict=True):
        gone = await ask("DELETE", f"/api/v1/statuses/{post['id']}", mira.headers)
        assert (gone.status, gone.headers["X-RateLimit-Limit"], gone.headers["X-RateLimit-Remaining"]) == (
            200,
            "2",
            left,
        )
    for method, path in (("DELETE", "/api/v1/statuses/1"), ("POST", "/api/v1/statuses/1/unreblog")):
        refused = await ask(method, path, mira.headers)
        assert refused.status == 429
        assert int(refused.headers["Retry-After"]) > 60
    assert (await ask("DELETE", "/api/v1/statuses/1", noor.headers)).status == 404
    # Both tokens of the account come to the end of its limit together.
    await ask("GET", "/api/v1/accounts/verify_credentials", second)
    left = int((await ask("GET", "/api/v1/timelines/home", mira.headers)).headers["X-RateLimit-Remaining"])
    assert (await ask("GET", "/api/v1/timelines/home", second)).headers["X-RateLimit-Remaining"] == str(left - 1)
    for _ in range(left - 1):
        assert (await ask("GET", "/api/v1/timelines/home", mira.headers)).status == 200
    assert (await ask("GET", "/api/v1/timelines/home", second)).status == 429
    assert (await ask("GET", "/api/v1/timelines/home", noor.headers)).status == 200


def multipart(fields: list[tuple[str, str]]) -> aiohttp.MultipartWriter:
    writer = aiohttp.MultipartWriter("form-data")
    for name, value in fields:
        writer.append(value).set_content_disposition("form-data", name=name)
    return writer


async def test_parameters_come_in_every_form(instance: Instance) -> None:
    mira, noor = await instance.account("mira"), await instance.account("noor")
    olaf = await instance.account("olaf")

    async def sent(method: str, path: str, by: Account, fields: list[tuple[str, str]], **json: Any) -> list[Any]:
        """What is answered to a query, a form, a multipart form and JSON."""
        forms: list[dict[str, Any]] = [
            {"params": fields},
            {"data": aiohttp.FormData(fields)},
            {"data": multipart(fields)},
            {"json": json},
        ]
        return [await instance.call(method, path, by=by, **form) for form in forms]

    fields = [("status", "Hello"), ("sensitive", "true"), ("visibility", "unlisted"), ("language", "de")]
    for post in await sent("POST", "/api/v1/statuses", mira, fields, **dict(fields)):
        assert (post["sensitive"], post["visibility"], post["language"]) == (True, "unlisted", "de")
    follow = f"/api/v1/accounts/{mira.id}/follow"
    for shown in await sent("POST", follow, noor, [("reblogs", "0"), ("notify", "1")], reblogs=False, notify="1"):
        assert (shown["showing_reblogs"], shown["notifying"]) == (False, True)
    for method in ("PATCH", "PUT"):
        profile = [("display_name", "Mira M."), ("locked", "1"), ("bot", "off"), ("source[privacy]", "private")]
        json = {"display_name": "Mira M.", "locked": True, "bot": "false", "source": {"privacy": "private"}}
        for me in await sent(method, "/api/v1/accounts/update_credentials", mira, profile, **json):
            assert (me["display_name"], me["locked"], me["bot"]) == ("Mira M.", True, False)
            assert me["source"]["privacy"] == "private"
    ids = [str(noor.id), str(olaf.id)]
    for query in (
        [("id[]", ids[0]), ("id[]", ids[1])], [("id[0]", ids[0]), ("id[1]", ids[1])]
    ):  # fmt: skip
        found = await instance.call("GET", "/api/v1/accounts/relationships", by=mira, params=query)
        assert [one["id"] for one in found][-1] == ids[1]
    (one,) = await instance.call("GET", f"/api/v1/accounts/relationships?id={ids[0]}", by=mira)
    assert one["id"] == ids[0]
    for path in ("/api/v1/timelines/home?limit=1", "/api/v1/timelines/home?limit=%201%20"):
        assert len(await instance.call("GET", path, by=mira)) == 1
    marker = [("home[last_read_id]", post["id"])]
    for markers in await sent("POST", "/api/v1/markers", mira, marker, home={"last_read_id": int(post["id"])}):
        assert markers["home"]["last_read_id"] == post["id"]


@pytest.mark.attack("NET-05")
async def test_parameters_that_are_none_are_refused(instance: Instance) -> None:
    mira = await instance.account("mira")
    for body, kind, status in (
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff=\xfe", "application/x-www-form-urlencoded", 400),
        (b"status=a%00b", "application/x-www-form-urlencoded", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
        (b"nonsense", "multipart/form-data", 400),
        (b"status=x", "text/plain", 415),
        (b'{"status": {"a": 1}}', "application/json", 400),
        (b'{"status": ["a"]}', "application/json", 400),
        (b"a[b][c][d][e][f][g]=1", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a[]=1"] * 500), "application/x-www-form-urlencoded", 400),
    ):
        headers = {**mira.headers, "Content-Type": kind}
        async with instance.http.post(f"{instance.url}/api/v1/statuses", data=body, headers=headers) as response:
            assert response.status == status, (body, await response.text())
            assert_entity("Error", await response.json())
    for query in ("limit=x", "limit=1e3", "limit=" + "9" * 40, "max_id=x", "max_id=-1", "min_id=" + "9" * 30):
        await instance.call("GET", f"/api/v1/timelines/home?{query}", by=mira, status=400)
