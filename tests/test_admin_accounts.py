"""Administration of accounts and reports through the client API, over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from fediverse import clock, moderation
from fediverse.actors import directory, people
from fediverse.tables.instance import audit_log
from tests.peers.scripted import Server
from tests.support.entities import assert_entity
from tests.support.files import form, picture
from tests.support.instance import Account, Instance
from tests.test_api_registration import GOOD, application

MakeInstance = Callable[..., Awaitable[Instance]]

EVERYTHING = "read write follow admin:read admin:write"
ACCOUNTS = "/api/v1/admin/accounts"
REPORTS = "/api/v1/admin/reports"


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
async def mona(instance: Instance) -> Account:
    return await instance.account("mona", role="moderator", scopes=EVERYTHING)


@pytest.fixture
async def olga(instance: Instance) -> Account:
    return await instance.account("olga", role="owner", scopes=EVERYTHING)


async def action(instance: Instance, by: Account, target: Any, kind: str, status: int = 200, **fields: Any) -> Any:
    path = f"{ACCOUNTS}/{getattr(target, 'id', target)}/action"
    return await instance.call("POST", path, by=by, json={"type": kind, **fields}, status=status)


async def change(instance: Instance, by: Account, target: Any, name: str, status: int = 200) -> Any:
    path = f"{ACCOUNTS}/{getattr(target, 'id', target)}/{name}"
    entity = await instance.call("POST", path, by=by, status=status)
    assert_entity("AdminAccount" if status == 200 else "Error", entity)
    return entity


async def logged(instance: Instance) -> list[tuple[str, str]]:
    """(action, target) of all that people, not the command line, did."""
    statement = select(audit_log).where(audit_log.c.person_id.is_not(None)).order_by(audit_log.c.id)
    rows = await instance.database.read(lambda tx: tx.execute(statement).all())
    return [(row.action, row.target) for row in rows]


async def listed(instance: Instance, by: Account, **asked: Any) -> list[str]:
    found = await instance.call("GET", "/api/v2/admin/accounts", by=by, params=asked)
    for one in found:
        assert_entity("AdminAccount", one)
    return [one["username"] for one in found]


# (method, path, scope, whether moderators may); {id} is an account of nobody in particular.
ENDPOINTS = [
    ("GET", "/api/v2/admin/accounts", "admin:read:accounts", True),
    ("GET", ACCOUNTS, "admin:read:accounts", True),
    ("GET", ACCOUNTS + "/{id}", "admin:read:accounts", True),
    ("POST", ACCOUNTS + "/{id}/action", "admin:write:accounts", True),
    ("POST", ACCOUNTS + "/{id}/approve", "admin:write:accounts", True),
    ("POST", ACCOUNTS + "/{id}/reject", "admin:write:accounts", True),
    ("POST", ACCOUNTS + "/{id}/enable", "admin:write:accounts", True),
    ("POST", ACCOUNTS + "/{id}/unsilence", "admin:write:accounts", True),
    ("POST", ACCOUNTS + "/{id}/unsensitive", "admin:write:accounts", True),
    ("POST", ACCOUNTS + "/{id}/unsuspend", "admin:write:accounts", True),
    ("DELETE", ACCOUNTS + "/{id}", "admin:write:accounts", False),
    ("GET", REPORTS, "admin:read:reports", True),
    ("GET", REPORTS + "/1", "admin:read:reports", True),
    ("PUT", REPORTS + "/1", "admin:write:reports", True),
    ("POST", REPORTS + "/1/assign_to_self", "admin:write:reports", True),
    ("POST", REPORTS + "/1/unassign", "admin:write:reports", True),
    ("POST", REPORTS + "/1/resolve", "admin:write:reports", True),
    ("POST", REPORTS + "/1/reopen", "admin:write:reports", True),
]


@pytest.mark.attack("OAU-04", "API-05")
async def test_only_scope_and_role_together_open_the_administration(instance: Instance) -> None:
    target = await instance.account("target")
    role_denied, scope_denied = "not allowed", "scope"
    who = {
        "user": (await instance.account("ulf", scopes=EVERYTHING), role_denied),
        "without scope": (await instance.account("poor", role="owner", scopes="read write follow push"), scope_denied),
        "moderator": (await instance.account("mona", role="moderator", scopes=EVERYTHING), role_denied),
        "owner": (await instance.account("olga", role="owner", scopes=EVERYTHING), ""),
    }
    by_scope = {
        scope: await instance.account(scope.replace(":", "_"), role="owner", scopes=scope)
        for scope in {scope for _, _, scope, _ in ENDPOINTS}
    }
    reads = await instance.account("reads", role="owner", scopes="admin:read")
    for method, path, scope, for_moderators in ENDPOINTS:
        path = path.format(id=target.id)

        async def refusal(account: Account | None, method: str = method, path: str = path) -> tuple[int, str]:
            headers = account.headers if account is not None else {}
            async with instance.http.request(method, instance.url + path, headers=headers, json={}) as response:
                body = await response.json(content_type=None)
                return response.status, body["error"] if response.status >= 400 else ""

        assert (await refusal(None))[0] == 401, path
        for name, (account, denied) in who.items():
            if name == "owner" or (name == "moderator" and for_moderators):
                continue
            status, error = await refusal(account)
            assert status == 403, (name, method, path)
            assert denied in error
        for other, account in by_scope.items():
            if other != scope:
                assert scope_denied in (await refusal(account))[1], (other, path)
        if "write" in scope:
            assert scope_denied in (await refusal(reads))[1]
        for account in (who["owner"][0], by_scope[scope]):
            status, error = await refusal(account)
            assert scope_denied not in error, (method, path)
            assert status < 500


@pytest.mark.attack("API-05")
async def test_nobody_acts_against_equals_and_superiors(
    instance: Instance, alice: Account, mona: Account, olga: Account
) -> None:
    equal = await instance.account("equal", role="moderator")
    other_owner = await instance.account("other", role="owner")
    for by, target in ((mona, mona), (mona, equal), (mona, olga), (olga, olga), (olga, other_owner)):
        for kind in ("none", "silence", "sensitive", "disable", "suspend"):
            assert_entity("Error", await action(instance, by, target, kind, status=403))
        for name in ("enable", "unsilence", "unsensitive", "unsuspend", "reject", "approve"):
            await change(instance, by, target, name, status=403)
        await instance.call("DELETE", f"{ACCOUNTS}/{target.id}", by=by, status=403)
    # Nor against an account that a superior owns together with others.
    await instance.database.write(lambda tx: people.join(tx, olga.person_id, alice.id, now=clock.now()))
    await action(instance, mona, alice, "suspend", status=403)
    assert await logged(instance) == []
    await action(instance, olga, mona, "silence")
    # A role that is lost is lost at once, whatever the token says.
    await instance.database.write(people.set_role, mona.person_id, "user")
    await instance.call("GET", REPORTS, by=mona, status=403)


async def test_permissions_are_told_to_clients(
    instance: Instance, alice: Account, mona: Account, olga: Account
) -> None:
    bits = {}
    for who in (alice, mona, olga):
        me = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=who)
        bits[who.username] = int(me["role"]["permissions"])
    assert bits["alice"] == 0
    assert bits["mona"] & 0x10 and not bits["mona"] & 0x20 and not bits["mona"] & 1  # noqa: PT018
    assert bits["olga"] & 1 and bits["olga"] & 0x20  # noqa: PT018


async def test_accounts_are_found(
    instance: Instance, alice: Account, mona: Account, olga: Account, peer: Server
) -> None:
    bob = peer.actor("bob")
    await instance.find(alice, bob.handle)
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, json={"display_name": "100% Alice"})
    locals_ = ["olga", "mona", "alice"]
    assert await listed(instance, mona) == ["bob", *locals_]
    assert await listed(instance, mona, origin="local") == locals_
    assert await listed(instance, mona, origin="remote") == ["bob"]
    assert await listed(instance, mona, by_domain=peer.host) == ["bob"]
    assert await listed(instance, mona, permissions="staff") == ["olga", "mona"]
    assert await listed(instance, mona, permissions="staff", **{"role_ids[]": "1"}) == ["mona"]
    assert await listed(instance, mona, username="LIC") == ["alice"]
    assert await listed(instance, mona, display_name="100%") == ["alice"]
    assert await listed(instance, mona, display_name="10_% a") == []
    assert await listed(instance, mona, email="ALICE@") == ["alice"]
    assert set(await listed(instance, mona, ip="127.0.0.1")) == {"alice", "mona"}
    assert await listed(instance, mona, ip="203.0.113.7") == []
    assert await listed(instance, mona, invited_by="1") == []
    for status in ("pending", "disabled", "silenced", "sensitized", "suspended"):
        assert await listed(instance, mona, status=status) == []
    assert await listed(instance, mona, status="active", origin="local") == locals_
    for asked in ({"origin": "mars"}, {"status": "bored"}, {"by_domain": "no host!"}, {"max_id": "x"}):
        await instance.call("GET", "/api/v2/admin/accounts", by=mona, params=asked, status=400)
    (first,) = await instance.call("GET", "/api/v2/admin/accounts?limit=1&origin=local", by=mona)
    older = await instance.call("GET", f"/api/v2/admin/accounts?max_id={first['id']}&origin=local", by=mona)
    assert [one["username"] for one in older] == ["mona", "alice"]
    one = await instance.call("GET", f"{ACCOUNTS}/{alice.id}", by=mona)
    assert (one["email"], one["ip"], one["role"]["id"]) == ("alice@example.com", "127.0.0.1", "-99")
    assert one["domain"] is None
    for nobody in ("1", "12345", "x", "9" * 30):
        await instance.call("GET", f"{ACCOUNTS}/{nobody}", by=mona, status=404)


async def test_moderating_somebody_here(instance: Instance, alice: Account, mona: Account) -> None:
    carol = await instance.account("carol")
    shown = await instance.call("POST", "/api/v2/media", by=alice, data=form(picture()))
    post = await instance.post(alice, "mine", media_ids=[shown["id"]])
    public = "/api/v1/timelines/public?local=true"
    for kind in ("", "explode", "NONE"):
        await action(instance, mona, alice, kind, status=422)
    await action(instance, mona, alice, "none", status=422, text="x" * 5001)
    await action(instance, mona, alice, "none", status=404, report_id="7")
    assert await action(instance, mona, alice, "none", text="Be kind.") == {}
    (told,) = await instance.notifications(alice)
    assert told["type"] == "moderation_warning"
    assert_entity("AccountWarning", told["moderation_warning"])
    assert (told["moderation_warning"]["action"], told["moderation_warning"]["text"]) == ("none", "Be kind.")
    assert told["account"]["id"] == told["moderation_warning"]["target_account"]["id"] == str(alice.id)

    await action(instance, mona, alice, "silence", send_email_notification=False)
    assert len(await instance.notifications(alice)) == 1
    assert await instance.call("GET", public, by=carol) == []
    assert (await change(instance, mona, alice, "unsilence"))["silenced"] is False
    assert len(await instance.call("GET", public, by=carol)) == 1

    async def page_warns() -> bool:
        async with instance.http.get(f"{instance.url}/@alice") as response:
            return "Sensitive media" in await response.text()

    ap, note = {"Accept": "application/activity+json"}, post["uri"].removeprefix(instance.url)
    assert (await instance.call("GET", note, headers=ap))["sensitive"] is False
    assert not await page_warns()
    await action(instance, mona, alice, "sensitive")
    path = f"/api/v1/statuses/{post['id']}"
    assert (await instance.call("GET", path, by=carol))["sensitive"] is True
    assert (await instance.call("GET", path, by=alice))["sensitive"] is False
    assert (await instance.call("GET", note, headers=ap))["sensitive"] is True
    assert await page_warns()
    assert (await change(instance, mona, alice, "unsensitive"))["sensitized"] is False
    assert (await instance.call("GET", path, by=carol))["sensitive"] is False

    await action(instance, mona, alice, "disable")
    refusal = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice, status=403)
    assert "disabled" in refusal["error"]
    assert await listed(instance, mona, status="disabled") == ["alice"]
    assert (await instance.call("GET", path, by=carol))["id"] == post["id"]
    assert (await change(instance, mona, alice, "enable"))["disabled"] is False
    await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)

    await instance.call("DELETE", f"{ACCOUNTS}/{alice.id}", by=mona, status=403)
    await action(instance, mona, alice, "suspend")
    await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice, status=401)
    await instance.call("GET", path, by=carol, status=404)
    assert await listed(instance, mona, status="suspended") == ["alice"]
    assert (await change(instance, mona, alice, "unsuspend"))["suspended"] is False
    await instance.call("GET", path, by=carol)
    names = [name for name, _ in await logged(instance)]
    assert names == [
        "account.warn", "account.limit", "account.unlimit", "account.sensitize", "account.unsensitize",
        "account.disable", "account.enable", "account.suspend", "account.unsuspend",
    ]  # fmt: skip
    assert {target for _, target in await logged(instance)} == {"alice"}


async def test_what_is_suspended_can_be_deleted(
    instance: Instance, alice: Account, olga: Account, peer: Server
) -> None:
    bob = peer.actor("bob")
    await instance.find(alice, bob.handle)
    post = await instance.post(alice, "mine")
    await instance.call("DELETE", f"{ACCOUNTS}/{alice.id}", by=olga, status=403)
    await action(instance, olga, alice, "suspend")
    gone = await instance.call("DELETE", f"{ACCOUNTS}/{alice.id}", by=olga)
    assert_entity("AdminAccount", gone)
    assert gone["username"] == "alice"
    await instance.tick()
    assert [one.body["object"] for one in peer.received if one.body["type"] == "Delete"] == [alice.uri]
    await instance.call("GET", f"{ACCOUNTS}/{alice.id}", by=olga, status=404)
    await instance.call("GET", f"/api/v1/statuses/{post['id']}", by=olga, status=404)
    await instance.call("DELETE", f"{ACCOUNTS}/{alice.id}", by=olga, status=404)
    assert await instance.database.read(people.by_email, "alice@example.com") is None


async def test_moderating_somebody_elsewhere(instance: Instance, mona: Account, olga: Account, peer: Server) -> None:
    bob, ann = peer.actor("bob"), peer.actor("ann")
    account = await instance.find(mona, bob.handle)
    other = await instance.find(mona, ann.handle)

    async def seen(of: Any = account) -> tuple[bool, bool]:
        found = await instance.call("GET", f"{ACCOUNTS}/{of['id']}", by=mona)
        return found["suspended"], found["silenced"]

    await action(instance, mona, account["id"], "disable", status=422)
    await change(instance, mona, account["id"], "enable", status=403)
    await change(instance, mona, account["id"], "approve", status=403)
    await action(instance, mona, account["id"], "suspend")
    assert await peer.send(bob, f"{instance.url}/inbox", bob.activity("Create", bob.mention(mona.uri))) in {202, 403}
    await instance.tick()
    assert await instance.notifications(mona) == []
    # Its own suspension outlasts what holds for its server, and ends only with that.
    await instance.database.write(moderation.block_host, peer.host, severity="block", now=clock.now())
    assert (await seen(), await seen(other)) == ((True, False), (True, False))
    await change(instance, mona, account["id"], "unsuspend")
    assert await seen() == (True, False)
    await action(instance, mona, account["id"], "suspend")
    await instance.database.write(moderation.unblock_host, peer.host, now=clock.now())
    assert (await seen(), await seen(other)) == ((True, False), (False, False))
    await change(instance, mona, account["id"], "unsuspend")
    await action(instance, mona, account["id"], "silence")
    await instance.database.write(moderation.block_host, peer.host, severity="limit", now=clock.now())
    await instance.database.write(moderation.unblock_host, peer.host, now=clock.now())
    assert (await seen(), await seen(other)) == ((False, True), (False, False))
    await change(instance, mona, account["id"], "unsilence")
    assert await seen() == (False, False)
    await action(instance, olga, account["id"], "suspend")
    await instance.call("DELETE", f"{ACCOUNTS}/{account['id']}", by=olga)
    row = await instance.database.read(directory.by_id, int(account["id"]))
    assert row is not None
    assert row.deleted_at is not None
    assert row.suspended_at is not None


async def test_who_waits_is_let_in_or_not(make_instance: MakeInstance) -> None:
    instance = await make_instance(registrations="approval")
    mona = await instance.account("mona", role="moderator", scopes=EVERYTHING)
    headers = await application(instance)
    tokens = {}
    for name in ("newcomer", "spammer"):
        sent = {**GOOD, "username": name, "email": f"{name}@example.com", "reason": "I work here"}
        made = await instance.call("POST", "/api/v1/accounts", headers=headers, json=sent)
        tokens[name] = {"Authorization": f"Bearer {made['access_token']}"}
    signed_up = await instance.notifications(mona)
    assert [(one["type"], one["account"]["username"]) for one in signed_up] == [
        ("admin.sign_up", "spammer"),
        ("admin.sign_up", "newcomer"),
    ]
    waiting = await instance.call("GET", f"{ACCOUNTS}?pending=true", by=mona)
    assert [one["username"] for one in waiting] == ["spammer", "newcomer"]
    assert [(one["approved"], one["invite_request"], one["ip"]) for one in waiting] == [
        (False, "I work here", "127.0.0.1")
    ] * 2
    spammer, newcomer = waiting
    assert (await change(instance, mona, newcomer["id"], "approve"))["approved"] is True
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=tokens["newcomer"])
    for name in ("approve", "reject"):
        await change(instance, mona, newcomer["id"], name, status=403)
    assert (await change(instance, mona, spammer["id"], "reject"))["username"] == "spammer"
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=tokens["spammer"], status=401)
    await instance.call("GET", f"{ACCOUNTS}/{spammer['id']}", by=mona, status=404)
    assert await instance.database.read(directory.local, "spammer") is None
    assert await logged(instance) == [("account.approve", "newcomer"), ("account.reject", "spammer")]


async def test_reports_are_dealt_with(instance: Instance, alice: Account, mona: Account, olga: Account) -> None:
    carol = await instance.account("carol")
    secret = await instance.post(carol, "@alice in confidence", visibility="direct")
    sent = {"account_id": str(carol.id), "status_ids": [secret["id"]], "comment": "look"}
    first = await instance.call("POST", "/api/v1/reports", by=alice, json=sent)
    second = await instance.call("POST", "/api/v1/reports", by=alice, json={"account_id": str(carol.id)})
    about = await instance.call("POST", "/api/v1/reports", by=carol, json={"account_id": str(alice.id)})

    async def ids(query: str = "") -> list[str]:
        found = await instance.call("GET", f"{REPORTS}{query}", by=mona)
        for one in found:
            assert_entity("AdminReport", one)
        return [one["id"] for one in found]

    assert await ids() == [about["id"], second["id"], first["id"]]
    assert await ids(f"?account_id={alice.id}") == [second["id"], first["id"]]
    assert await ids(f"?target_account_id={alice.id}") == [about["id"]]
    assert await ids("?by_target_domain=elsewhere.example") == []
    assert await ids("?resolved=true") == []
    one = await instance.call("GET", f"{REPORTS}/{first['id']}", by=mona)
    assert [status["id"] for status in one["statuses"]] == [secret["id"]]
    assert (one["account"]["id"], one["target_account"]["id"]) == (str(alice.id), str(carol.id))
    path = f"{REPORTS}/{first['id']}"
    assert (await instance.call("POST", f"{path}/assign_to_self", by=mona))["assigned_account"]["id"] == str(mona.id)
    assert (await instance.call("POST", f"{path}/unassign", by=mona))["assigned_account"] is None
    done = await instance.call("POST", f"{path}/resolve", by=mona)
    assert (done["action_taken"], done["action_taken_by_account"]["id"]) == (True, str(mona.id))
    assert await ids("?resolved=true") == [first["id"]]
    assert len(await ids("?resolved=true&unresolved=true")) == 3
    assert (await instance.call("GET", f"/api/v1/reports/{first['id']}", by=alice))["action_taken"] is True
    again = await instance.call("POST", f"{path}/reopen", by=mona)
    assert (again["action_taken"], again["action_taken_at"], again["action_taken_by_account"]) == (False, None, None)
    assert (await instance.call("PUT", path, by=mona, json={"category": "spam"}))["category"] == "spam"
    for wrong in ({"category": "x"}, {"rule_ids": ["5"]}):
        assert_entity("Error", await instance.call("PUT", path, by=mona, json=wrong, status=422))
    await instance.call("PUT", f"{REPORTS}/12", by=mona, json={}, status=404)
    await instance.call("POST", f"{REPORTS}/12/resolve", by=mona, status=404)
    # An action settles what was reported of the account, and its person learns of the posts.
    await action(instance, mona, alice, "none", status=422, report_id=first["id"])
    await action(instance, mona, carol, "none", report_id=first["id"], text="Don't.")
    assert await ids() == [about["id"], second["id"]]
    warning = next(one for one in await instance.notifications(carol) if one["type"] == "moderation_warning")
    assert warning["moderation_warning"]["status_ids"] == [secret["id"]]
    await instance.call("POST", f"{path}/reopen", by=mona)
    await action(instance, mona, carol, "sensitive", report_id=second["id"])
    assert await ids() == [about["id"]]
    assert ("report.resolve", first["id"]) in await logged(instance)
