"""Applications, tokens and scopes through the client API, over real HTTP."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from sqlalchemy import Connection

from fediverse import access, clock
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance

URI = "https://app.example/callback"
VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


async def register(instance: Instance, **fields: Any) -> Any:
    sent = {"client_name": "App", "redirect_uris": URI, "scopes": "read write follow", **fields}
    return await instance.call("POST", "/api/v1/apps", json=sent)


async def consent(instance: Instance, app: Any, who: Account, **changes: Any) -> str:
    """The code that the consent page would hand out."""

    def work(tx: Connection) -> str:
        asked = {"client_id": app["client_id"], "redirect_uri": URI, "scope": "read write", **changes}
        request = access.check_authorize(tx, **asked)
        return access.create_code(tx, request, person_id=who.person_id, actor_id=who.id, now=clock.now())

    return await instance.database.write(work)


def grant(app: Any, code: str, **changes: Any) -> dict[str, Any]:
    return {
        "grant_type": "authorization_code",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": URI,
        "code": code,
        **changes,
    }


async def test_app_is_registered(instance: Instance) -> None:
    app = await register(instance, website="https://app.example/")
    assert_entity("CredentialApplication", app)
    assert app["redirect_uris"] == [URI]
    many = await register(instance, redirect_uris=[URI, access.OUT_OF_BAND])
    assert many["redirect_uris"] == [URI, access.OUT_OF_BAND]
    assert many["redirect_uri"] == f"{URI}\n{access.OUT_OF_BAND}"
    lines = await instance.call(
        "POST", "/api/v1/apps", data={"client_name": "Form", "redirect_uris": f"{URI}\n{access.OUT_OF_BAND}"}
    )
    assert lines["redirect_uris"] == [URI, access.OUT_OF_BAND]
    assert lines["scopes"] == ["read"]


@pytest.mark.parametrize(
    "fields",
    [
        {"client_name": ""},
        {"redirect_uris": "javascript:alert(1)"},
        {"redirect_uris": ""},
        {"scopes": "read everything"},
        {"scopes": "admin"},
        {"website": "javascript:alert(1)"},
    ],
)
@pytest.mark.attack("OAU-01", "OAU-04")
async def test_app_is_refused(instance: Instance, fields: dict[str, str]) -> None:
    sent = {"client_name": "App", "redirect_uris": URI, **fields}
    assert_entity("Error", await instance.call("POST", "/api/v1/apps", json=sent, status=422))


async def test_code_becomes_a_token_that_works(instance: Instance, alice: Account) -> None:
    app = await register(instance, website="https://app.example/")
    code = await consent(instance, app, alice, code_challenge=CHALLENGE, code_challenge_method="S256")
    token = await instance.call("POST", "/oauth/token", data=grant(app, code, code_verifier=VERIFIER))
    assert_entity("Token", token)
    assert token["token_type"] == "Bearer"
    assert token["scope"] == "read write"
    assert abs(token["created_at"] - clock.now() / 1000) < 60
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    me = await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers)
    assert_entity("CredentialAccount", me)
    assert me["id"] == str(alice.id)
    ours = await instance.call("GET", "/api/v1/apps/verify_credentials", headers=headers)
    assert_entity("Application", ours)
    assert "client_secret" not in ours
    status = await instance.call("POST", "/api/v1/statuses", headers=headers, json={"status": "from the app"})
    assert status["application"] == {"name": "App", "website": "https://app.example/"}


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"code": "wrong"}, 400, "invalid_grant"),
        ({"redirect_uri": URI + "/"}, 400, "invalid_grant"),
        ({"code_verifier": "w" * 64}, 400, "invalid_grant"),
        ({"code_verifier": None}, 400, "invalid_grant"),
        ({"code_verifier": ""}, 400, "invalid_grant"),
        ({"code_verifier": CHALLENGE}, 400, "invalid_grant"),
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "unsupported_grant_type"),
        ({"code": ["a", "b"]}, 400, "invalid_request"),
    ],
)
@pytest.mark.attack("OAU-02", "OAU-03")
async def test_token_is_refused(
    instance: Instance, alice: Account, changes: dict[str, Any], status: int, error: str
) -> None:
    app = await register(instance)
    code = await consent(instance, app, alice, code_challenge=CHALLENGE, code_challenge_method="S256")
    sent = {**grant(app, code, code_verifier=VERIFIER), **changes}
    refusal = await instance.call("POST", "/oauth/token", json=sent, status=status)
    assert refusal["error"] == error
    assert refusal["error_description"]


@pytest.mark.attack("OAU-02")
async def test_code_used_twice_ends_its_token(instance: Instance, alice: Account) -> None:
    app = await register(instance)
    code = await consent(instance, app, alice)
    token = await instance.call("POST", "/oauth/token", json=grant(app, code))
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers)
    refusal = await instance.call("POST", "/oauth/token", json=grant(app, code), status=400)
    assert refusal["error"] == "invalid_grant"
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers, status=401)


@pytest.mark.attack("OAU-02")
async def test_code_used_twenty_times_at_once_gives_one_token(instance: Instance, alice: Account) -> None:
    app = await register(instance)
    code = await consent(instance, app, alice)

    async def try_it() -> int:
        async with instance.http.post(f"{instance.url}/oauth/token", json=grant(app, code)) as response:
            return response.status

    codes = await asyncio.gather(*(try_it() for _ in range(20)))
    assert sorted(codes) == [200] + [400] * 19


@pytest.mark.attack("OAU-02")
async def test_code_of_another_client_is_refused(instance: Instance, alice: Account) -> None:
    app, other = await register(instance), await register(instance)
    code = await consent(instance, app, alice)
    refusal = await instance.call("POST", "/oauth/token", json=grant(other, code), status=400)
    assert refusal["error"] == "invalid_grant"


async def test_client_may_prove_itself_by_header(instance: Instance) -> None:
    app = await register(instance)
    basic = b64encode(f"{app['client_id']}:{app['client_secret']}".encode()).decode()
    fields = {"grant_type": "client_credentials", "scope": "read"}
    token = await instance.call("POST", "/oauth/token", data=fields, headers={"Authorization": f"Basic {basic}"})
    assert token["scope"] == "read"
    for wrong in ("Basic !", "Basic " + b64encode(b"nocolon").decode(), "Basic /////w=="):
        headers = {"Authorization": wrong}
        refusal = await instance.call("POST", "/oauth/token", data=fields, headers=headers, status=401)
        assert refusal["error"] == "invalid_client"


async def app_token(instance: Instance, app: Any, scope: str = "read write") -> dict[str, str]:
    sent = {
        "grant_type": "client_credentials",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "scope": scope,
    }
    token = await instance.call("POST", "/oauth/token", json=sent)
    return {"Authorization": f"Bearer {token['access_token']}"}


@pytest.mark.attack("OAU-04")
async def test_application_by_itself_is_nobody(instance: Instance, alice: Account) -> None:
    app = await register(instance)
    headers = await app_token(instance, app)
    await instance.post(alice, "for all")
    await instance.call("GET", "/api/v1/apps/verify_credentials", headers=headers)
    assert len(await instance.call("GET", "/api/v1/timelines/public", headers=headers)) == 1
    for method, path in (
        ("GET", "/api/v1/accounts/verify_credentials"),
        ("GET", "/api/v1/timelines/home"),
        ("GET", "/api/v1/notifications"),
        ("POST", "/api/v1/statuses"),
        ("PATCH", "/api/v1/accounts/update_credentials"),
        ("GET", "/api/v1/preferences"),
        ("GET", "/oauth/userinfo"),
    ):
        refusal = await instance.call(method, path, headers=headers, json={}, status=403)
        assert_entity("Error", refusal)


@pytest.mark.attack("OAU-04")
async def test_scopes_are_never_widened(instance: Instance, alice: Account) -> None:
    app = await register(instance, scopes="read:accounts")
    sent = {**grant(app, ""), "grant_type": "client_credentials", "scope": "read"}
    refusal = await instance.call("POST", "/oauth/token", json=sent, status=400)
    assert refusal["error"] == "invalid_scope"
    with pytest.raises(access.OAuthError):
        await consent(instance, app, alice, scope="read:accounts write")


async def test_revoked_token_opens_nothing(instance: Instance, alice: Account) -> None:
    app, other = await register(instance), await register(instance)
    token = (await instance.call("POST", "/oauth/token", json=grant(app, await consent(instance, app, alice))))[
        "access_token"
    ]
    headers = {"Authorization": f"Bearer {token}"}

    def revocation(of: Any, **changes: Any) -> dict[str, Any]:
        return {"client_id": of["client_id"], "client_secret": of["client_secret"], "token": token, **changes}

    await instance.call("POST", "/oauth/revoke", json=revocation(other), status=403)
    await instance.call("POST", "/oauth/revoke", json=revocation(app, client_secret="wrong"), status=401)
    await instance.call("POST", "/oauth/revoke", json=revocation(app, token=""), status=400)
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers)
    assert await instance.call("POST", "/oauth/revoke", data=revocation(app)) == {}
    refusal = await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=headers, status=401)
    assert_entity("Error", refusal)
    assert await instance.call("POST", "/oauth/revoke", data=revocation(app)) == {}


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer wrong", "Basic abc", "wrong", "Bearer " + "x" * 5000])
async def test_bad_tokens_are_refused_even_where_none_is_needed(instance: Instance, header: str) -> None:
    for path in ("/api/v1/timelines/home", "/api/v1/timelines/public", "/api/v1/statuses/1"):
        async with instance.http.get(instance.url + path, headers={"Authorization": header}) as response:
            assert response.status == 401
            assert "WWW-Authenticate" in response.headers
            assert_entity("Error", await response.json())


async def test_token_is_accepted_in_the_header_only(instance: Instance, alice: Account) -> None:
    path = "/api/v1/accounts/verify_credentials"
    await instance.call("GET", path, params={"access_token": alice.token}, status=401)
    await instance.call("GET", path, headers={"Cookie": f"access_token={alice.token}"}, status=401)
    fields = {"access_token": alice.token, "status": "x"}
    await instance.call("POST", "/api/v1/statuses", data=fields, status=401)


async def test_metadata_is_true(instance: Instance, alice: Account) -> None:
    shape = await instance.call("GET", "/.well-known/oauth-authorization-server")
    assert_entity("DiscoverOauthServerConfigurationResponse", shape)
    assert shape["code_challenge_methods_supported"] == ["S256"]
    for name in ("token_endpoint", "revocation_endpoint", "app_registration_endpoint"):
        async with instance.http.post(shape[name]) as response:
            assert response.status in {400, 401, 422}
    profile = await instance.account("reader", scopes="profile")
    claims = await instance.call("GET", "/oauth/userinfo", by=profile)
    assert claims["preferred_username"] == "reader"
    await instance.call("GET", "/api/v1/accounts/verify_credentials", by=profile)
    await instance.call("GET", "/oauth/userinfo", by=alice, status=403)


# (method, path, scope that opens it): {me} is an account, {status} one of its posts.
ENDPOINTS = [
    ("GET", "/api/v1/statuses?id[]=1", "read:statuses"),
    ("GET", "/api/v1/statuses/{status}/card", "read:statuses"),
    ("GET", "/api/v1/timelines/link?url=x", "read:statuses"),
    ("GET", "/api/v1/scheduled_statuses", "read:statuses"),
    ("GET", "/api/v1/scheduled_statuses/1", "read:statuses"),
    ("PUT", "/api/v1/scheduled_statuses/1", "write:statuses"),
    ("DELETE", "/api/v1/scheduled_statuses/1", "write:statuses"),
    ("POST", "/api/v2/media", "write:media"),
    ("POST", "/api/v1/media", "write:media"),
    ("GET", "/api/v1/media/1", "write:media"),
    ("PUT", "/api/v1/media/1", "write:media"),
    ("DELETE", "/api/v1/media/1", "write:media"),
    ("GET", "/api/v1/polls/{status}", "read:statuses"),
    ("POST", "/api/v1/polls/{status}/votes", "write:statuses"),
    ("GET", "/api/v1/accounts/verify_credentials", "read:accounts"),
    ("PATCH", "/api/v1/accounts/update_credentials", "write:accounts"),
    ("POST", "/api/v1/emails/confirmations", "write:accounts"),
    ("GET", "/api/v1/accounts/relationships", "read:follows"),
    ("GET", "/api/v1/profile", "read:accounts"),
    ("PATCH", "/api/v1/profile", "write:accounts"),
    ("DELETE", "/api/v1/profile/avatar", "write:accounts"),
    ("DELETE", "/api/v1/profile/header", "write:accounts"),
    ("GET", "/api/v1/accounts/search?q=x", "read:accounts"),
    ("GET", "/api/v1/accounts/lookup?acct=alice", "read:accounts"),
    ("GET", "/api/v1/accounts/{me}", "read:accounts"),
    ("GET", "/api/v1/accounts/{me}/statuses", "read:statuses"),
    ("GET", "/api/v1/accounts/{me}/followers", "read:accounts"),
    ("GET", "/api/v1/accounts/{me}/following", "read:accounts"),
    ("POST", "/api/v1/accounts/{me}/follow", "write:follows"),
    ("POST", "/api/v1/accounts/{me}/unfollow", "write:follows"),
    ("POST", "/api/v1/accounts/{me}/remove_from_followers", "write:follows"),
    ("POST", "/api/v1/accounts/{me}/block", "write:blocks"),
    ("POST", "/api/v1/accounts/{me}/unblock", "write:blocks"),
    ("POST", "/api/v1/accounts/{me}/mute", "write:mutes"),
    ("POST", "/api/v1/accounts/{me}/unmute", "write:mutes"),
    ("GET", "/api/v1/accounts?id[]=1", "read:accounts"),
    ("GET", "/api/v1/accounts/familiar_followers", "read:follows"),
    ("GET", "/api/v1/accounts/{me}/identity_proofs", "read:accounts"),
    ("POST", "/api/v1/accounts/{me}/note", "write:accounts"),
    ("POST", "/api/v1/accounts/{me}/endorse", "write:accounts"),
    ("POST", "/api/v1/accounts/{me}/unendorse", "write:accounts"),
    ("POST", "/api/v1/accounts/{me}/pin", "write:accounts"),
    ("POST", "/api/v1/accounts/{me}/unpin", "write:accounts"),
    ("GET", "/api/v1/accounts/{me}/endorsements", "read:accounts"),
    ("GET", "/api/v1/endorsements", "read:accounts"),
    ("GET", "/api/v1/domain_blocks", "read:blocks"),
    ("POST", "/api/v1/domain_blocks", "write:blocks"),
    ("DELETE", "/api/v1/domain_blocks", "write:blocks"),
    ("GET", "/api/v1/blocks", "read:blocks"),
    ("GET", "/api/v1/mutes", "read:mutes"),
    ("GET", "/api/v1/follow_requests", "read:follows"),
    ("POST", "/api/v1/follow_requests/{me}/authorize", "write:follows"),
    ("POST", "/api/v1/follow_requests/{me}/reject", "write:follows"),
    ("GET", "/api/v1/bookmarks", "read:bookmarks"),
    ("GET", "/api/v1/favourites", "read:favourites"),
    ("GET", "/api/v1/preferences", "read:accounts"),
    ("GET", "/api/v1/notifications", "read:notifications"),
    ("GET", "/api/v1/notifications/unread_count", "read:notifications"),
    ("GET", "/api/v1/notifications/1", "read:notifications"),
    ("POST", "/api/v1/notifications/1/dismiss", "write:notifications"),
    ("POST", "/api/v1/notifications/clear", "write:notifications"),
    ("POST", "/api/v1/notifications/dismiss", "write:notifications"),
    ("GET", "/api/v2/notifications", "read:notifications"),
    ("GET", "/api/v2/notifications/unread_count", "read:notifications"),
    ("GET", "/api/v2/notifications/1", "read:notifications"),
    ("GET", "/api/v2/notifications/1/accounts", "read:notifications"),
    ("POST", "/api/v2/notifications/1/dismiss", "write:notifications"),
    ("GET", "/api/v2/notifications/policy", "read:notifications"),
    ("PATCH", "/api/v2/notifications/policy", "write:notifications"),
    ("PUT", "/api/v2/notifications/policy", "write:notifications"),
    ("GET", "/api/v1/notifications/requests", "read:notifications"),
    ("GET", "/api/v1/notifications/requests/merged", "read:notifications"),
    ("GET", "/api/v1/notifications/requests/1", "read:notifications"),
    ("POST", "/api/v1/notifications/requests/1/accept", "write:notifications"),
    ("POST", "/api/v1/notifications/requests/1/dismiss", "write:notifications"),
    ("POST", "/api/v1/notifications/requests/accept", "write:notifications"),
    ("POST", "/api/v1/notifications/requests/dismiss", "write:notifications"),
    ("GET", "/api/v1/conversations", "read:statuses"),
    ("DELETE", "/api/v1/conversations/1", "write:conversations"),
    ("POST", "/api/v1/conversations/1/read", "write:conversations"),
    ("POST", "/api/v1/conversations/1/unread", "write:conversations"),
    ("GET", "/api/v1/timelines/direct", "read:statuses"),
    ("POST", "/api/v1/push/subscription", "push"),
    ("GET", "/api/v1/push/subscription", "push"),
    ("PUT", "/api/v1/push/subscription", "push"),
    ("DELETE", "/api/v1/push/subscription", "push"),
    ("GET", "/api/v1/markers?timeline[]=home", "read:statuses"),
    ("POST", "/api/v1/markers", "write:statuses"),
    ("GET", "/api/v2/search?q=x", "read:search"),
    ("GET", "/api/v2/search?q=x&resolve=true", "read:search"),
    ("GET", "/api/v1/search?q=x", "read:search"),
    ("GET", "/api/v1/lists", "read:lists"),
    ("POST", "/api/v1/lists", "write:lists"),
    ("GET", "/api/v1/lists/1", "read:lists"),
    ("PUT", "/api/v1/lists/1", "write:lists"),
    ("DELETE", "/api/v1/lists/1", "write:lists"),
    ("GET", "/api/v1/lists/1/accounts", "read:lists"),
    ("POST", "/api/v1/lists/1/accounts", "write:lists"),
    ("DELETE", "/api/v1/lists/1/accounts", "write:lists"),
    ("GET", "/api/v1/accounts/{me}/lists", "read:lists"),
    ("GET", "/api/v1/timelines/list/1", "read:lists"),
    ("GET", "/api/v1/tags/x", "read"),
    ("POST", "/api/v1/tags/x/follow", "write:follows"),
    ("POST", "/api/v1/tags/x/unfollow", "write:follows"),
    ("GET", "/api/v1/followed_tags", "read:follows"),
    ("POST", "/api/v1/tags/x/feature", "write:accounts"),
    ("POST", "/api/v1/tags/x/unfeature", "write:accounts"),
    ("GET", "/api/v1/featured_tags", "read:accounts"),
    ("POST", "/api/v1/featured_tags", "write:accounts"),
    ("DELETE", "/api/v1/featured_tags/1", "write:accounts"),
    ("GET", "/api/v1/featured_tags/suggestions", "read:accounts"),
    ("GET", "/api/v1/accounts/{me}/featured_tags", "read:accounts"),
    ("GET", "/api/v2/filters", "read:filters"),
    ("POST", "/api/v2/filters", "write:filters"),
    ("GET", "/api/v2/filters/1", "read:filters"),
    ("PUT", "/api/v2/filters/1", "write:filters"),
    ("DELETE", "/api/v2/filters/1", "write:filters"),
    ("GET", "/api/v2/filters/1/keywords", "read:filters"),
    ("POST", "/api/v2/filters/1/keywords", "write:filters"),
    ("GET", "/api/v2/filters/keywords/1", "read:filters"),
    ("PUT", "/api/v2/filters/keywords/1", "write:filters"),
    ("DELETE", "/api/v2/filters/keywords/1", "write:filters"),
    ("GET", "/api/v2/filters/1/statuses", "read:filters"),
    ("POST", "/api/v2/filters/1/statuses", "write:filters"),
    ("GET", "/api/v2/filters/statuses/1", "read:filters"),
    ("DELETE", "/api/v2/filters/statuses/1", "write:filters"),
    ("GET", "/api/v1/filters", "read:filters"),
    ("POST", "/api/v1/filters", "write:filters"),
    ("GET", "/api/v1/filters/1", "read:filters"),
    ("PUT", "/api/v1/filters/1", "write:filters"),
    ("DELETE", "/api/v1/filters/1", "write:filters"),
    ("GET", "/api/v2/suggestions", "read:accounts"),
    ("POST", "/api/v1/announcements/1/dismiss", "write:accounts"),
    ("PUT", "/api/v1/announcements/1/reactions/x", "write:favourites"),
    ("DELETE", "/api/v1/announcements/1/reactions/x", "write:favourites"),
    ("GET", "/api/v1/suggestions", "read:accounts"),
    ("GET", "/api/v1/timelines/home", "read:statuses"),
    ("GET", "/api/v1/timelines/public", "read:statuses"),
    ("GET", "/api/v1/timelines/tag/x", "read:statuses"),
    ("POST", "/api/v1/statuses", "write:statuses"),
    ("GET", "/api/v1/statuses/{status}", "read:statuses"),
    ("GET", "/api/v1/statuses/{status}/context", "read:statuses"),
    ("GET", "/api/v1/statuses/{status}/history", "read:statuses"),
    ("GET", "/api/v1/statuses/{status}/source", "read:statuses"),
    ("GET", "/api/v1/statuses/{status}/favourited_by", "read:statuses"),
    ("GET", "/api/v1/statuses/{status}/reblogged_by", "read:statuses"),
    ("PUT", "/api/v1/statuses/{status}", "write:statuses"),
    ("GET", "/api/v1/statuses/{status}/quotes", "read:statuses"),
    ("POST", "/api/v1/statuses/{status}/quotes/1/revoke", "write:statuses"),
    ("PUT", "/api/v1/statuses/{status}/interaction_policy", "write:statuses"),
    ("DELETE", "/api/v1/statuses/{status}", "write:statuses"),
    ("POST", "/api/v1/statuses/{status}/favourite", "write:favourites"),
    ("POST", "/api/v1/statuses/{status}/unfavourite", "write:favourites"),
    ("POST", "/api/v1/statuses/{status}/reblog", "write:statuses"),
    ("POST", "/api/v1/statuses/{status}/unreblog", "write:statuses"),
    ("POST", "/api/v1/statuses/{status}/bookmark", "write:bookmarks"),
    ("POST", "/api/v1/statuses/{status}/unbookmark", "write:bookmarks"),
    ("POST", "/api/v1/statuses/{status}/pin", "write:accounts"),
    ("POST", "/api/v1/statuses/{status}/unpin", "write:accounts"),
    ("POST", "/api/v1/statuses/{status}/mute", "write:mutes"),
    ("POST", "/api/v1/statuses/{status}/unmute", "write:mutes"),
    ("POST", "/api/v1/reports", "write:reports"),
    ("GET", "/api/v1/reports", "read:accounts"),
    ("GET", "/api/v1/reports/1", "read:accounts"),
    ("GET", "/oauth/userinfo", "profile"),
]


@pytest.mark.attack("OAU-04")
async def test_every_endpoint_needs_its_scope(instance: Instance) -> None:
    """With every scope but its own an endpoint is closed; with its own alone, or the coarse one, it is not."""
    everything = await instance.account("everything")
    status = await instance.post(everything, "here")
    kinds = {scope for _, _, scope in ENDPOINTS}
    who: dict[str, Account] = {}
    for scope in kinds:
        others = [one for one in access.ALL_SCOPES if ":" in one or one in {"profile", "push"}]
        # verify_credentials takes either of two, so its refusal is tested without both.
        closed = [one for one in others if one != scope and not (scope == "read:accounts" and one == "profile")]
        name = scope.replace(":", "_")
        who[f"not {scope}"] = await instance.account(f"not_{name}", scopes=" ".join(closed))
        who[scope] = await instance.account(f"only_{name}", scopes=scope)
    for method, path, scope in ENDPOINTS:
        for key in (f"not {scope}", scope):
            account = who[key]
            address = instance.url + path.format(me=account.id, status=status["id"])
            async with instance.http.request(method, address, headers=account.headers, json={}) as response:
                if key == scope:
                    assert response.status != 403 or "scope" not in (await response.json())["error"], (method, path)
                else:
                    assert response.status == 403, (method, path, response.status)
                    assert "scope" in (await response.json())["error"]


@pytest.mark.attack("OAU-04")
async def test_every_endpoint_that_changes_something_needs_a_token(instance: Instance) -> None:
    for method, path, scope in ENDPOINTS:
        if scope.startswith("write") or path.startswith(("/api/v1/timelines/home", "/api/v1/notifications")):
            refusal = await instance.call(method, path.format(me=1, status=1), json={}, status=401)
            assert_entity("Error", refusal)
