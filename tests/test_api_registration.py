"""Signing up and changing one's profile through the client API, over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image
from sqlalchemy import func, select

from fediverse.access import passwords
from fediverse.actors import people
from fediverse.tables.actors import actors
from fediverse.tables.instance import pictures
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance

MakeInstance = Callable[..., Awaitable[Instance]]

GOOD = {
    "username": "newcomer",
    "email": "newcomer@example.com",
    "password": "a long enough one",
    "agreement": True,
    "locale": "en",
}


async def application(instance: Instance, scopes: str = "read write") -> dict[str, str]:
    fields = {"client_name": "App", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob", "scopes": scopes}
    app = await instance.call("POST", "/api/v1/apps", json=fields)
    sent = {
        "grant_type": "client_credentials",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "scope": scopes,
    }
    token = await instance.call("POST", "/oauth/token", json=sent)
    return {"Authorization": f"Bearer {token['access_token']}"}


async def test_nobody_can_sign_up_where_it_is_closed(make_instance: MakeInstance) -> None:
    for registrations in ("closed", "invite"):
        instance = await make_instance(registrations=registrations)
        headers = await application(instance)
        refusal = await instance.call("POST", "/api/v1/accounts", headers=headers, json=GOOD, status=403)
        assert_entity("Error", refusal)


async def test_signing_up_gives_a_token_that_works(make_instance: MakeInstance) -> None:
    instance = await make_instance(registrations="open")
    headers = await application(instance)
    token = await instance.call("POST", "/api/v1/accounts", headers=headers, json=GOOD)
    assert_entity("Token", token)
    mine = {"Authorization": f"Bearer {token['access_token']}"}
    me = await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=mine)
    assert_entity("CredentialAccount", me)
    assert me["acct"] == "newcomer"
    await instance.call("POST", "/api/v1/statuses", headers=mine, json={"status": "I am here"})
    person = await instance.database.read(people.by_email, "NEWCOMER@example.com")
    assert person is not None
    assert passwords.verify(person.password_hash, "a long enough one")
    await instance.call("POST", "/api/v1/accounts", headers=mine, json={**GOOD, "username": "b"}, status=403)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"username": ""}, "username", "ERR_BLANK"),
        ({"username": "has space"}, "username", "ERR_INVALID"),
        ({"username": "x" * 31}, "username", "ERR_TOO_LONG"),
        ({"username": "admin"}, "username", "ERR_RESERVED"),
        ({"username": "ALICE"}, "username", "ERR_TAKEN"),
        ({"email": "nonsense"}, "email", "ERR_INVALID"),
        ({"email": ""}, "email", "ERR_BLANK"),
        ({"email": "Alice@Example.com"}, "email", "ERR_TAKEN"),
        ({"password": ""}, "password", "ERR_BLANK"),
        ({"password": "short"}, "password", "ERR_TOO_SHORT"),
        ({"password": "x" * 257}, "password", "ERR_TOO_LONG"),
        ({"password": "x" * 1_000_000}, "password", "ERR_TOO_LONG"),
        ({"agreement": False}, "agreement", "ERR_ACCEPTED"),
        ({"agreement": None}, "agreement", "ERR_ACCEPTED"),
    ],
)
async def test_sign_ups_are_refused_with_their_reasons(
    make_instance: MakeInstance, changes: dict[str, Any], field: str, code: str
) -> None:
    instance = await make_instance(registrations="open")
    await instance.account("alice")
    headers = await application(instance)
    refusal = await instance.call("POST", "/api/v1/accounts", headers=headers, json={**GOOD, **changes}, status=422)
    assert_entity("ValidationError", refusal)
    assert list(refusal["details"]) == [field]
    assert refusal["details"][field][0]["error"] == code
    assert refusal["details"][field][0]["description"]
    count = select(func.count()).select_from(actors).where(actors.c.username == "newcomer")
    assert await instance.database.read(lambda tx: tx.scalar(count)) == 0


async def test_who_signs_up_may_have_to_wait(make_instance: MakeInstance) -> None:
    instance = await make_instance(registrations="approval")
    headers = await application(instance)
    refusal = await instance.call("POST", "/api/v1/accounts", headers=headers, json=GOOD, status=422)
    assert refusal["details"]["reason"][0]["error"] == "ERR_BLANK"
    sent = {**GOOD, "reason": "I work here"}
    token = await instance.call("POST", "/api/v1/accounts", headers=headers, json=sent)
    mine = {"Authorization": f"Bearer {token['access_token']}"}
    refusal = await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=mine, status=403)
    assert "pending" in refusal["error"]
    person = await instance.database.read(people.by_email, GOOD["email"])
    assert person is not None
    await instance.database.write(lambda tx: people.approve(tx, person.id, now=1))
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=mine)


async def test_signing_up_needs_the_scope_and_a_limit_holds(make_instance: MakeInstance) -> None:
    instance = await make_instance(registrations="open", rate_limits="on")
    await instance.call("POST", "/api/v1/accounts", json=GOOD, status=401)
    reader = await application(instance, "read")
    await instance.call("POST", "/api/v1/accounts", headers=reader, json=GOOD, status=403)
    headers = await application(instance)
    for _ in range(5):
        await instance.call("POST", "/api/v1/accounts", headers=headers, json={}, status=422)
    refusal = await instance.call("POST", "/api/v1/accounts", headers=headers, json=GOOD, status=429)
    assert_entity("Error", refusal)


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


PATH = "/api/v1/accounts/update_credentials"


async def test_profile_is_as_sent(instance: Instance, alice: Account) -> None:
    sent = {
        "display_name": "Alice in Chains",
        "note": "I know <b>HTML</b> and #tags",
        "locked": True,
        "bot": "true",
        "discoverable": False,
        "indexable": True,
        "hide_collections": True,
        "fields_attributes": [{"name": "Site", "value": "https://example.com"}, {"name": "", "value": ""}],
        "source": {"privacy": "unlisted", "sensitive": True, "language": "de"},
    }
    me = await instance.call("PATCH", PATH, by=alice, json=sent)
    assert_entity("CredentialAccount", me)
    assert me["display_name"] == "Alice in Chains"
    assert "&lt;b&gt;HTML&lt;/b&gt;" in me["note"]
    assert (me["locked"], me["bot"], me["discoverable"], me["indexable"]) == (True, True, False, True)
    assert me["source"]["note"] == "I know <b>HTML</b> and #tags"
    assert me["source"]["fields"][0]["value"] == "https://example.com"
    assert 'href="https://example.com' in me["fields"][0]["value"]
    assert len(me["fields"]) == 1
    defaults = await instance.call("GET", "/api/v1/preferences", by=alice)
    assert_entity("Preferences", defaults)
    assert defaults["posting:default:visibility"] == "unlisted"
    status = await instance.post(alice, "by default")
    assert (status["visibility"], status["sensitive"], status["language"]) == ("unlisted", True, "de")
    form = {"fields_attributes[0][name]": "One", "fields_attributes[0][value]": "1", "source[privacy]": "public"}
    me = await instance.call("PUT", PATH, by=alice, data=form)
    assert [line["name"] for line in me["fields"]] == ["One"]
    assert (me["display_name"], me["source"]["privacy"]) == ("Alice in Chains", "public")
    assert await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice) == me


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"display_name": "x" * 5000}, 422),
        ({"note": "x" * 50_000}, 422),
        ({"source": {"privacy": "everybody"}}, 422),
        ({"source": {"language": "!"}}, 422),
        ({"source": "public"}, 400),
        ({"fields_attributes": [{"name": str(i), "value": "x"} for i in range(5)]}, 422),
        ({"fields_attributes": ["x"]}, 400),
        ({"avatar": "not a file"}, 422),
        ({"display_name": ["x"]}, 400),
    ],
)
async def test_profile_that_cannot_be(instance: Instance, alice: Account, fields: dict[str, Any], code: int) -> None:
    before = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    assert_entity("Error", await instance.call("PATCH", PATH, by=alice, json=fields, status=code))
    assert await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice) == before


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (500, 500), "navy").save(out, "PNG")
    return out.getvalue()


async def test_pictures_are_uploaded_and_replaced(instance: Instance, alice: Account) -> None:
    seen = set()
    for _ in range(2):
        form = aiohttp.FormData()
        form.add_field("display_name", "With pictures")
        form.add_field("avatar", picture(), filename="a.png", content_type="image/png")
        form.add_field("header", picture(), filename="h.png", content_type="image/png")
        me = await instance.call("PATCH", PATH, by=alice, data=form)
        assert me["avatar"].startswith(f"{instance.url}/media/")
        assert me["header"].startswith(f"{instance.url}/media/")
        seen |= {me["avatar"], me["header"]}
    assert len(seen) == 4
    assert await instance.database.read(lambda tx: tx.scalar(select(func.count()).select_from(pictures))) == 2
    form = aiohttp.FormData()
    form.add_field("avatar", b"<svg/>", filename="a.svg", content_type="image/svg+xml")
    await instance.call("PATCH", PATH, by=alice, data=form, status=415)
    assert await instance.database.read(lambda tx: tx.scalar(select(func.count()).select_from(pictures))) == 2
