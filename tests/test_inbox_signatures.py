"""The door of the inbox: in each test one check stands between the attacker and success."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select

from fediverse import keys
from fediverse.tables.actors import actor_keys, actors
from fediverse.tables.inbox import received
from tests.peers.scripted import Actor, Server, document_response, pem, rsa_key, signed
from tests.support.instance import Account, Instance


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


@pytest.fixture
def victim(other_peer: Server) -> Actor:
    return other_peer.actor("victim")


async def stored(instance: Instance) -> int:
    def read(tx: Any) -> int:
        return tx.scalar(select(func.count()).select_from(received)) or 0

    return await instance.database.read(read)


async def refused(instance: Instance, alice: Account, *peers: Server, gets: int | None = None) -> None:
    """Nothing was stored and nothing has changed; at most ``gets`` documents were asked for."""
    assert await stored(instance) == 0
    await instance.tick()
    assert await instance.notifications(alice) == []
    if gets is not None:
        assert sum(sum(peer.gets.values()) for peer in peers) <= gets


def create(actor: Actor, alice: Account, text: str = "Hello") -> dict[str, Any]:
    return actor.activity("Create", actor.mention(alice.uri, text))


@pytest.mark.attack("SIG-01")
@pytest.mark.parametrize("inbox", ["/inbox", "/users/alice/inbox"])
async def test_an_unsigned_activity_is_refused_without_any_fetch(
    instance: Instance, alice: Account, mallory: Actor, inbox: str
) -> None:
    body = json.dumps(create(mallory, alice)).encode()
    status, _ = await mallory.server.post(instance.url + inbox, body, [("Content-Type", "application/activity+json")])
    assert status == 401
    await refused(instance, alice, mallory.server, gets=0)


CASES: dict[str, dict[str, Any]] = {
    "body_altered": {"sent_body": b'{"type":"Create"}'},
    "digest_not_signed": {"covered": "(request-target) host date"},
    "only_date_signed": {"covered": "date"},
    "host_not_signed": {"covered": "(request-target) date digest"},
    "target_not_signed": {"covered": "host date digest"},
    "nothing_signed": {"covered": ""},
    "stale": {"age": 13 * 3600},
    "future": {"age": -2 * 3600},
    "no_date": {"no_date": True, "covered": "(request-target) host digest"},
    "wrong_key": {"key": rsa_key()},
    "signed_for_get": {"method": "GET"},
    "signed_for_another_path": {"target": "/users/alice/outbox"},
    "9421_no_created": {"dialect": "rfc9421", "created": False},
    "9421_no_method": {"dialect": "rfc9421", "components": '"@target-uri" "content-digest"'},
    "9421_no_target": {"dialect": "rfc9421", "components": '"@method" "content-digest"'},
    "9421_no_digest": {"dialect": "rfc9421", "components": '"@method" "@target-uri"'},
    "9421_wrong_key": {"dialect": "rfc9421", "key": rsa_key()},
    "9421_body_altered": {"dialect": "rfc9421", "sent_body": b'{"type":"Create"}'},
}


@pytest.mark.attack("SIG-02", "SIG-03", "SIG-05", "SIG-06", "SIG-17")
@pytest.mark.parametrize("case", CASES)
async def test_a_signature_that_proves_too_little_is_refused(
    instance: Instance, alice: Account, mallory: Actor, case: str
) -> None:
    options = dict(CASES[case])
    if "sent_body" in options:
        activity = create(mallory, alice)
        other = json.dumps({**activity, "object": {**activity["object"], "content": "other"}}).encode()
        options["sent_body"] = other
    else:
        activity = create(mallory, alice)
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", activity, **options) == 401
    await refused(instance, alice)


@pytest.mark.attack("SIG-06", "SIG-17")
@pytest.mark.parametrize(
    "options",
    [
        {"age": 300},
        {"dialect": "rfc9421"},
        {"dialect": "rfc9421", "label": "other-label"},
        {"covered": "(request-target) host date digest content-type"},
        {"algorithm": "hs2019"},
    ],
    ids=str,
)
async def test_what_honest_servers_send_passes(
    instance: Instance, alice: Account, mallory: Actor, options: dict[str, Any]
) -> None:
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", create(mallory, alice), **options) == 202
    await instance.tick()
    assert len(await instance.notifications(alice)) == 1


@pytest.mark.attack("SIG-02")
async def test_a_repeated_digest_cannot_hide_the_forged_one(instance: Instance, alice: Account, mallory: Actor) -> None:
    url = f"{instance.url}/inbox"
    body = json.dumps(create(mallory, alice)).encode()
    headers = signed(mallory, url, body)
    status, _ = await mallory.server.post(url, body, [*headers, ("Digest", "SHA-256=AAAA")])
    assert status == 401
    await refused(instance, alice)


@pytest.mark.attack("SIG-19")
async def test_a_request_signed_for_another_server_is_refused(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    url = f"{instance.url}/inbox"
    body = json.dumps(create(mallory, alice)).encode()
    headers = [(n, v) for n, v in signed(mallory, url, body, host="other.example") if n != "Host"]
    ours = url.split("/")[2]
    assert (await mallory.server.post(url, body, [*headers, ("Host", ours)]))[0] == 401
    forwarded = [*headers, ("Host", ours), ("X-Forwarded-Host", "other.example")]
    assert (await mallory.server.post(url, body, forwarded))[0] == 401
    assert (await mallory.server.post(url, body, [*headers, ("Host", "other.example")]))[0] in {401, 421}
    await refused(instance, alice)


@pytest.mark.attack("SIG-08")
async def test_a_replayed_request_has_one_effect(instance: Instance, alice: Account, mallory: Actor) -> None:
    url = f"{instance.url}/inbox"
    mine = await instance.post(alice, "Like this")
    for activity in (create(mallory, alice), mallory.activity("Like", mine["uri"])):
        body = json.dumps(activity).encode()
        headers = signed(mallory, url, body)
        answers = [await mallory.server.post(url, body, headers) for _ in range(10)]
        answers += await asyncio.gather(*(mallory.server.post(url, body, headers) for _ in range(10)))
        assert {status for status, _ in answers} == {202}
        await instance.tick()
        assert (await mallory.server.post(url, body, headers))[0] == 202
        await instance.tick()
    assert sorted(n["type"] for n in await instance.notifications(alice)) == ["favourite", "mention"]
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    assert status["favourites_count"] == 1


@pytest.mark.attack("SIG-10")
@pytest.mark.parametrize("kind", ["Create", "Follow", "Like", "Delete", "Update", "Move", "Announce", "Block"])
async def test_nobody_acts_in_anothers_name(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, kind: str
) -> None:
    # The victim is known here, and mallory too.
    for actor in (victim, mallory):
        assert await actor.server.send(actor, f"{instance.url}/inbox", create(actor, alice)) == 202
    await instance.tick()
    known = await stored(instance)
    obj = victim.mention(alice.uri) if kind in {"Create", "Update"} else alice.uri if kind != "Delete" else victim.uri
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", victim.activity(kind, obj)) in {401, 403}
    assert await stored(instance) == known


@pytest.mark.attack("SIG-12")
async def test_a_bare_key_document_cannot_name_its_owner(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor
) -> None:
    key_id = f"{mallory.server.url}/keys/1"
    key = {"id": key_id, "type": "Key", "owner": victim.uri, "publicKeyPem": pem(mallory.key)}
    mallory.server.serve(key)
    activity = create(victim, alice)
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", activity, key_id=key_id) == 401
    await refused(instance, alice)


@pytest.mark.attack("SIG-12")
async def test_an_actor_document_cannot_list_a_foreign_key_for_another_actor(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor
) -> None:
    # Mallory's own document lists the victim's key id, with mallory's key material.
    mallory.extra["publicKey"] = {"id": victim.key_id, "owner": victim.uri, "publicKeyPem": pem(mallory.key)}
    activity = create(victim, alice)
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", activity, key_id=victim.key_id) == 401
    assert await mallory.server.send(mallory, f"{instance.url}/inbox", create(mallory, alice)) == 401
    await refused(instance, alice)


@pytest.mark.attack("SIG-14")
async def test_a_new_key_is_taken_after_one_fetch_and_the_old_one_refused(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    server, url = mallory.server, f"{instance.url}/inbox"
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    old, mallory.key = mallory.key, rsa_key()
    before = server.gets["/users/mallory"]
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    assert server.gets["/users/mallory"] == before + 1
    for _ in range(3):
        assert await server.send(mallory, url, create(mallory, alice), key=old) == 401
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    assert server.gets["/users/mallory"] == before + 1


@pytest.mark.attack("SIG-14")
async def test_a_forged_request_after_a_rotation_does_not_shut_out_the_new_key(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    server, url = mallory.server, f"{instance.url}/inbox"
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    mallory.key = rsa_key()
    assert await server.send(mallory, url, create(mallory, alice), key=rsa_key()) == 401
    assert await server.send(mallory, url, create(mallory, alice)) == 202


@pytest.mark.attack("SIG-15")
async def test_bad_signatures_cause_no_storm_of_fetches(instance: Instance, alice: Account, mallory: Actor) -> None:
    server, url = mallory.server, f"{instance.url}/inbox"
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    server.gets.clear()
    forged, activity = rsa_key(), create(mallory, alice)
    answers = await asyncio.gather(*(server.send(mallory, url, activity, key=forged) for _ in range(100)))
    assert set(answers) == {401}
    assert sum(server.gets.values()) <= 1


@pytest.mark.attack("SIG-15")
@pytest.mark.parametrize("failure", ["404", "500", "html"])
async def test_keys_that_cannot_be_had_are_not_asked_for_again(
    instance: Instance, alice: Account, mallory: Actor, failure: str
) -> None:
    server, url = mallory.server, f"{instance.url}/inbox"
    ghost = Actor(server, "ghost", mallory.key)
    if failure == "500":
        server.scripts["/users/ghost"] = lambda _request: document_response({}, status=500)
    if failure == "html":
        server.scripts["/users/ghost"] = lambda _r: document_response(ghost.document(), content_type="text/html")
    answers = await asyncio.gather(*(server.send(ghost, url, create(ghost, alice)) for _ in range(100)))
    assert set(answers) == {401}
    assert sum(server.gets.values()) <= 1
    await refused(instance, alice)


def _hmac(secret: str) -> Any:
    def sign(data: bytes) -> bytes:
        mac = HMAC(secret.encode(), SHA256())
        mac.update(data)
        return mac.finalize()

    return sign


@pytest.mark.attack("SIG-16")
@pytest.mark.parametrize("algorithm", ["hmac-sha256", "none", "rsa-sha1", "", "ed25519-sha512"])
async def test_the_algorithm_is_not_the_senders_choice(
    instance: Instance, alice: Account, mallory: Actor, algorithm: str
) -> None:
    forge = _hmac(pem(mallory.key))
    status = await mallory.server.send(
        mallory, f"{instance.url}/inbox", create(mallory, alice), algorithm=algorithm, make_signature=forge
    )
    assert status == 401
    await refused(instance, alice)


def _private_pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


WEAK = rsa_key(1024)
BAD_KEYS: dict[str, str] = {
    "rsa_1024": pem(WEAK),
    "elliptic_curve": pem(ec_key(SECP256R1())),
    "private": _private_pem(rsa_key()),
    "garbage": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    "endless": "-----BEGIN PUBLIC KEY-----\n" + "A" * 100_000,
}


@pytest.mark.attack("SIG-16")
@pytest.mark.parametrize("case", BAD_KEYS)
async def test_keys_that_are_none_are_refused_and_not_stored(
    instance: Instance, alice: Account, mallory: Actor, case: str
) -> None:
    mallory.extra["publicKey"] = {"id": mallory.key_id, "owner": mallory.uri, "publicKeyPem": BAD_KEYS[case]}
    started = time.perf_counter()
    status = await mallory.server.send(mallory, f"{instance.url}/inbox", create(mallory, alice), key=WEAK)
    assert status == 401
    assert time.perf_counter() - started < 5
    await refused(instance, alice)

    def keys_stored(tx: Any) -> int:
        return tx.scalar(select(func.count()).where(actor_keys.c.key_uri == mallory.key_id)) or 0

    assert await instance.database.read(keys_stored) == 0


async def test_an_ed25519_multikey_signs_as_well(instance: Instance, alice: Account, peer: Server) -> None:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    key = Ed25519PrivateKey.generate()
    number, text = int.from_bytes(b"\xed\x01" + key.public_key().public_bytes_raw()), ""
    while number:
        number, digit = divmod(number, 58)
        text = alphabet[digit] + text
    actor = peer.actor("eddy")
    actor.extra["assertionMethod"] = [
        {
            "id": f"{actor.uri}#ed25519-key",
            "type": "Multikey",
            "controller": actor.uri,
            "publicKeyMultibase": f"z{text}",
        }
    ]
    options: dict[str, Any] = {"key": key, "key_id": f"{actor.uri}#ed25519-key", "dialect": "rfc9421"}
    assert await peer.send(actor, f"{instance.url}/inbox", create(actor, alice), **options) == 202


@pytest.mark.attack("FLO-01")
async def test_a_suspension_is_noticed_by_the_worker_before_memory_is(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    server, url = mallory.server, f"{instance.url}/inbox"
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    await instance.tick()

    def suspend(tx: Any) -> None:
        tx.execute(actors.update().where(actors.c.uri == mallory.uri).values(suspended_at=1))

    await instance.database.write(suspend)
    before = len(await instance.notifications(alice))
    await server.send(mallory, url, create(mallory, alice))
    await instance.tick()
    assert len(await instance.notifications(alice)) <= before
    # Once memory has run out, the door itself is shut.
    signers = instance.app[keys.SIGNERS]
    signers.forget()
    assert await server.send(mallory, url, create(mallory, alice)) == 403
