"""Blocks of servers, network addresses and mailboxes through the client API, over real HTTP."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fediverse import clock
from fediverse import instance as house
from fediverse.admin import barriers, domains
from fediverse.admin.barriers import covers, read_network
from fediverse.errors import Invalid
from tests.peers.scripted import Server
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance
from tests.test_admin_accounts import EVERYTHING
from tests.test_api_registration import GOOD, application

MakeInstance = Callable[..., Awaitable[Instance]]
BLOCKS = "/api/v1/admin/domain_blocks"
IPS = "/api/v1/admin/ip_blocks"
EMAIL_DOMAINS = "/api/v1/admin/email_domain_blocks"
EMAILS = "/api/v1/admin/canonical_email_blocks"


async def owner(instance: Instance) -> Account:
    return await instance.account("olga", role="owner", scopes=EVERYTHING)


@pytest.mark.attack("OAU-04", "API-05")
async def test_barriers_are_for_admins_with_the_scope(instance: Instance) -> None:
    olga = await owner(instance)
    moderator = await instance.account("mona", role="moderator", scopes=EVERYTHING)
    reader = await instance.account("reader", role="owner", scopes="admin:read read write")
    for path in (BLOCKS, IPS, EMAIL_DOMAINS, EMAILS):
        name = path.rpartition("/")[2]
        narrow = await instance.account(f"r_{name}"[:30], role="owner", scopes=f"admin:read:{name}")
        for method, rest in (("GET", ""), ("POST", ""), ("GET", "/1"), ("DELETE", "/1")):
            await instance.call(method, path + rest, by=moderator, json={}, status=403)
            if method != "GET":
                await instance.call(method, path + rest, by=reader, json={}, status=403)
                await instance.call(method, path + rest, by=narrow, json={}, status=403)
        await instance.call("GET", path, by=narrow)
        await instance.call("GET", path, by=reader)
        await instance.call("GET", f"{path}/1", by=olga, status=404)
        await instance.call("DELETE", f"{path}/1", by=olga, status=404)
        assert_entity("Error", await instance.call("POST", path, by=olga, json={}, status=422))
    for path in (BLOCKS, IPS):
        await instance.call("PUT", f"{path}/1", by=moderator, json={}, status=403)
        await instance.call("PUT", f"{path}/1", by=olga, json={}, status=404)


async def test_a_server_is_blocked_and_people_learn_what_they_lost(instance: Instance, peer: Server) -> None:
    olga, bob, ann = await owner(instance), peer.actor("bob"), peer.actor("ann")
    host = peer.host.partition(":")[0]
    await instance.follow(olga, bob.handle)
    await instance.tick()
    follow = next(one.body for one in peer.received if one.body["type"] == "Follow")
    await peer.send(bob, f"{instance.url}/inbox", bob.activity("Accept", follow))
    for fan in (bob, ann):
        await peer.send(fan, f"{instance.url}/inbox", fan.activity("Follow", olga.uri))
    await instance.tick()

    made = await instance.call("POST", BLOCKS + "/", by=olga, json={"domain": host.upper(), "severity": "suspend",
        "private_comment": "spam", "public_comment": "no", "obfuscate": True, "reject_reports": True})  # fmt: skip
    assert_entity("AdminDomainBlock", made)
    assert (made["domain"], made["severity"], made["private_comment"]) == (host, "suspend", "spam")
    assert made["digest"] == hashlib.sha256(host.encode()).hexdigest()
    await instance.database.write(lambda tx: house.update(tx, domain_blocks="everybody"))
    (public,) = await instance.call("GET", "/api/v1/instance/domain_blocks")
    assert (public["domain"], public["comment"], public["severity"]) == ("127.*.0.1", "no", "suspend")
    assert public["digest"] == made["digest"]
    told = next(one for one in await instance.notifications(olga) if one["type"] == "severed_relationships")
    assert_entity("RelationshipSeveranceEvent", told["event"])
    assert (told["event"]["followers_count"], told["event"]["following_count"]) == (2, 1)
    assert (told["event"]["target_name"], told["event"]["type"]) == (host, "domain_block")
    assert told["account"]["id"] == str(olga.id)
    sent = await peer.send(ann, f"{instance.url}/inbox", ann.activity("Create", ann.mention(olga.uri)))
    assert sent in {202, 403}  # at the door, once the key is not at hand any more; else afterwards
    await instance.tick()
    assert not [one for one in await instance.notifications(olga) if one["type"] == "mention"]
    again = await instance.call("POST", BLOCKS, by=olga, json={"domain": host, "severity": "silence"}, status=422)
    assert again["existing_domain_block"] == made
    path = f"{BLOCKS}/{made['id']}"
    changed = await instance.call("PUT", path, by=olga, json={"severity": "silence", "public_comment": ""})
    assert (changed["severity"], changed["public_comment"], changed["private_comment"]) == ("silence", None, "spam")
    assert changed["id"] == made["id"]
    # Reports from there do not count; limited strangers are not told of, either.
    await peer.send(bob, f"{instance.url}/inbox", bob.activity("Flag", olga.uri))
    await instance.tick()
    assert await instance.call("GET", "/api/v1/admin/reports", by=olga) == []
    assert await instance.call("GET", path, by=olga) == changed
    assert await instance.call("GET", BLOCKS, by=olga) == [changed]
    assert await instance.call("DELETE", path, by=olga) == {}
    assert await instance.call("GET", BLOCKS, by=olga) == []
    account = await instance.find(olga, bob.handle)
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={account['id']}", by=olga)
    assert (relationship["following"], relationship["followed_by"]) == (True, True)
    for sent in (
        {"domain": "not a host!"},
        {"domain": ""},
        {"domain": "x.example", "severity": "explode"},
        {"domain": "x.example", "public_comment": "x" * 5001},
    ):
        await instance.call("POST", BLOCKS, by=olga, json=sent, status=422)


async def test_media_of_a_server_are_rejected(instance: Instance, peer: Server) -> None:
    olga = await owner(instance)
    picture = {"type": "Image", "url": f"{peer.url}/a.png", "mediaType": "image/png"}
    bob = peer.actor("bob", icon=picture)

    async def attached(text: str) -> tuple[str, list[Any]]:
        attachment = {"type": "Document", "mediaType": "image/png", "url": f"{peer.url}/p.png"}
        note = bob.mention(olga.uri, text, attachment=[attachment])
        await peer.send(bob, f"{instance.url}/inbox", bob.activity("Create", note))
        await instance.tick()
        status = next(one["status"] for one in await instance.notifications(olga) if text in one["status"]["content"])
        return status["id"], status["media_attachments"]

    status_id, before = await attached("with a picture")
    assert len(before) == 1
    found = await instance.find(olga, bob.handle)
    assert "/proxy/" in found["avatar"]
    host = peer.host.partition(":")[0]
    made = await instance.call("POST", BLOCKS, by=olga, json={"domain": host, "severity": "noop", "reject_media": True})
    assert (made["severity"], made["reject_media"]) == ("noop", True)
    await instance.database.write(lambda tx: house.update(tx, domain_blocks="everybody"))
    assert await instance.call("GET", "/api/v1/instance/domain_blocks") == []
    assert (await attached("and a third"))[1] == []
    assert (await instance.call("GET", f"/api/v1/statuses/{status_id}", by=olga))["media_attachments"] == []
    assert "/proxy/" not in (await instance.call("GET", f"/api/v1/accounts/{found['id']}", by=olga))["avatar"]
    await peer.send(bob, f"{instance.url}/inbox", bob.activity("Update", bob.document()))
    await instance.tick()
    assert "/proxy/" not in (await instance.call("GET", f"/api/v1/accounts/{found['id']}", by=olga))["avatar"]


async def test_networks_are_shut_out(make_instance: MakeInstance) -> None:
    instance = await make_instance(registrations="open", trusted_proxies="127.0.0.1")
    olga = await owner(instance)
    headers = await application(instance)

    def at(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": address}

    async def sign_up(name: str, address: str, status: int = 200) -> Any:
        sent = {**GOOD, "username": name, "email": f"{name}@example.com"}
        return await instance.call(
            "POST", "/api/v1/accounts", headers={**headers, **at(address)}, json=sent, status=status
        )

    made = await instance.call(
        "POST", IPS, by=olga, json={"ip": "203.0.113.77/24", "severity": "no_access", "comment": "x"}
    )
    assert_entity("AdminIpBlock", made)
    assert (made["ip"], made["expires_at"], made["comment"]) == ("203.0.113.0/24", None, "x")
    for path in ("/", "/api/v2/instance", "/users/olga", "/inbox"):
        async with instance.http.get(instance.url + path, headers=at("203.0.113.9")) as response:
            assert response.status == 403, path
    async with instance.http.get(f"{instance.url}/healthz", headers=at("203.0.113.9")) as response:
        assert response.status == 200
    await instance.call("GET", "/api/v2/instance", headers=at("203.0.114.9"))
    await instance.call("POST", IPS, by=olga, json={"ip": "203.0.113.0/24", "severity": "sign_up_block"}, status=422)
    path = f"{IPS}/{made['id']}"
    changed = await instance.call("PUT", path, by=olga, json={"severity": "sign_up_block", "expires_in": 3600})
    assert (changed["severity"], changed["ip"], changed["comment"]) == ("sign_up_block", made["ip"], "x")
    assert changed["expires_at"] is not None
    await instance.call("GET", "/api/v2/instance", headers=at("203.0.113.9"))
    await sign_up("first", "203.0.113.9", 403)
    await instance.call("POST", IPS, by=olga, json={"ip": "2001:db8::/32", "severity": "sign_up_requires_approval"})
    waits = await sign_up("second", "2001:db8:1:2::3")
    mine = {"Authorization": f"Bearer {waits['access_token']}"}
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=mine, status=403)
    await sign_up("third", "198.51.100.1")
    assert len(await instance.call("GET", IPS, by=olga)) == 2
    assert await instance.call("DELETE", path, by=olga) == {}
    await sign_up("fourth", "203.0.113.9")
    for sent in (
        {"ip": "127.0.0.0/8", "severity": "no_access"},  # the caller's own
        {"ip": "0.0.0.0/0", "severity": "no_access"},
        {"ip": "x", "severity": "no_access"},
        {"ip": "10.0.0.0/8"},
        {"ip": "10.0.0.0/8", "severity": "sign_up_block", "comment": "x" * 1001},
    ):
        await instance.call("POST", IPS, by=olga, json=sent, status=422)
    await instance.call(
        "POST", IPS, by=olga, json={"ip": "10.0.0.0/8", "severity": "no_access", "expires_in": "x"}, status=400
    )
    # What has ended no longer counts.
    row = await instance.call(
        "POST", IPS, by=olga, json={"ip": "10.0.0.0/8", "severity": "no_access", "expires_in": 60}
    )
    later = clock.now() + 61_000
    assert await instance.database.read(barriers.shut_out, now=later) == []
    assert await instance.database.read(barriers.shut_out, now=clock.now()) != []
    await instance.call("GET", f"{IPS}/{row['id']}", by=olga)


async def test_mailboxes_that_sign_nobody_up(make_instance: MakeInstance) -> None:
    instance = await make_instance(registrations="open")
    olga = await owner(instance)
    headers = await application(instance)

    async def sign_up(email: str, status: int = 422) -> Any:
        sent = {**GOOD, "email": email}
        return await instance.call("POST", "/api/v1/accounts", headers=headers, json=sent, status=status)

    made = await instance.call("POST", EMAIL_DOMAINS, by=olga, json={"domain": "Trash.Example"})
    assert_entity("AdminEmailDomainBlock", made)
    assert made["domain"] == "trash.example"
    assert [(day["accounts"], day["uses"]) for day in made["history"]] == [("0", "0")] * 7
    for email in ("a@trash.example", "b@sub.TRASH.example"):
        assert (await sign_up(email))["details"]["email"][0]["error"] == "ERR_BLOCKED"
    (one,) = await instance.call("GET", EMAIL_DOMAINS, by=olga)
    assert (one["history"][0]["accounts"], one["history"][0]["uses"]) == ("2", "1")
    assert one["history"][0]["day"] == str(clock.now() // clock.DAY * clock.DAY // 1000)
    assert await instance.call("GET", f"{EMAIL_DOMAINS}/{one['id']}", by=olga) == one
    await instance.call("POST", EMAIL_DOMAINS, by=olga, json={"domain": "trash.example"}, status=422)

    made = await instance.call("POST", EMAILS, by=olga, json={"email": "J.Doe+spam@Mail.example"})
    assert_entity("AdminCanonicalEmailBlock", made)
    assert made["canonical_email_hash"] == hashlib.sha256(b"jdoe@mail.example").hexdigest()
    assert await instance.call("POST", f"{EMAILS}/test", by=olga, json={"email": "jd.oe@mail.example"}) == [made]
    assert await instance.call("POST", f"{EMAILS}/test", by=olga, json={"email": "x@mail.example"}) == []
    await instance.call("POST", f"{EMAILS}/test", by=olga, json={}, status=422)
    assert (await sign_up("jdoe+2@mail.example"))["details"]["email"][0]["error"] == "ERR_BLOCKED"
    hashed = {"canonical_email_hash": hashlib.sha256(b"x").hexdigest()}
    assert (await instance.call("POST", EMAILS, by=olga, json=hashed))["canonical_email_hash"] == hashed[
        "canonical_email_hash"
    ]
    for sent in ({"canonical_email_hash": "x"}, {"email": "jdoe@mail.example"}):
        await instance.call("POST", EMAILS, by=olga, json=sent, status=422)
    assert [block["id"] for block in await instance.call("GET", EMAILS, by=olga)][-1] == made["id"]
    await instance.call("DELETE", f"{EMAILS}/{made['id']}", by=olga)
    await instance.call("DELETE", f"{EMAIL_DOMAINS}/{one['id']}", by=olga)
    await sign_up("jdoe+2@mail.example", 200)


def test_networks_are_compared_by_what_they_hold() -> None:
    assert read_network(" 10.1.2.3/8 ", mine="192.0.2.1") == "10.0.0.0/8"
    assert read_network("2001:db8::1", mine="") == "2001:db8::1/128"
    for wrong in ("", "10.0.0.0/33", "example.com", "1.2.3", "\0"):
        with pytest.raises(Invalid):
            read_network(wrong, mine="")
    with pytest.raises(Invalid):
        read_network("2001:db8::/32", mine="2001:db8:1:2::/64")
    net = ipaddress.ip_network
    assert covers(net("10.0.0.0/8"), net("10.1.1.1/32"))
    assert not covers(net("10.0.0.0/8"), net("::/0"))
    assert not covers(net("::/0"), net("10.0.0.0/8"))
    assert barriers.canonical("A.B+c@Example.COM") == "ab@example.com"
    assert set(domains.SEVERITIES) == {"suspend", "silence", "noop"}
