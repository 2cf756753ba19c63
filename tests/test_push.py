"""Web push, against a push service and a device of our own: what it is told, in which encryption, and when no more."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import http_ece
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, func, select, update

from fediverse import access, clock
from fediverse.clock import DAY, HOUR
from fediverse.tables.push import push_subscriptions, pushes
from tests.conftest import MakeInstance
from tests.support.instance import Account, Instance, free_port
from tests.support.wire import listening

PATH = "/api/v1/push/subscription"


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Device:
    """What an app keeps: where it is reached, and the keys that nobody else has."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    def subscription(self, **more: Any) -> dict[str, Any]:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": self.endpoint, "keys": {"p256dh": encoded(point), "auth": encoded(self.auth)}, **more}

    def read(self, body: bytes, headers: dict[str, str]) -> Any:
        if headers["Content-Encoding"] == "aes128gcm":
            plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        else:
            parts = dict(part.split("=", 1) for part in headers["Crypto-Key"].split(";"))
            plain = http_ece.decrypt(
                body,
                salt=decoded(headers["Encryption"].removeprefix("salt=")),
                private_key=self.key,
                dh=decoded(parts["dh"]),
                auth_secret=self.auth,
                version="aesgcm",
            )
        return json.loads(plain)


@dataclass
class Service:
    """A push service that takes everything, unless it is told otherwise."""

    url: str
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    received: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def device(self, name: str = "device") -> Device:
        return Device(f"{self.url}/{name}")

    def told(self, device: Device) -> list[Any]:
        path = urlsplit(device.endpoint).path
        return [device.read(body, headers) for at, body, headers in self.received if at == path]

    async def take(self, request: web.Request) -> web.Response:
        self.received.append((request.path, await request.read(), dict(request.headers)))
        return web.Response(status=self.status, headers=self.headers)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    port = free_port()
    made = Service(f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_post("/{path:.*}", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def instance(make_instance: MakeInstance, service: Service) -> Instance:
    return await make_instance(allowed_private_addresses=urlsplit(service.url).netloc)


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


async def subscribe(
    instance: Instance, by: Account, device: Device, *, alerts: tuple[str, ...] = ("mention",), **more: Any
) -> Any:
    policy = more.pop("policy", "all")
    sent = {
        "subscription": device.subscription(**more),
        "data": {"alerts": dict.fromkeys(alerts, True), "policy": policy},
    }
    return await instance.call("POST", PATH, by=by, json=sent)


async def queued(instance: Instance) -> list[Any]:
    def read(tx: Connection) -> list[Any]:
        return list(tx.execute(select(pushes)).all())

    return await instance.database.read(read)


async def subscriptions(instance: Instance) -> int:
    def read(tx: Connection) -> int:
        return tx.scalar(select(func.count()).select_from(push_subscriptions)) or 0

    return await instance.database.read(read)


async def make_due(instance: Instance, **changes: Any) -> None:
    def write(tx: Connection) -> None:
        tx.execute(update(pushes).values(due_at=clock.now(), **changes))

    await instance.database.write(write)


def check_vapid(headers: dict[str, str], audience: str, server_key: str) -> None:
    """The signature is by the key that clients are told, for this push service, not for long."""
    kind, _, rest = headers["Authorization"].partition(" ")
    if kind == "vapid":
        parts = dict(part.split("=", 1) for part in rest.split(","))
        assert parts["k"] == server_key
        jwt = parts["t"]
    else:
        assert kind == "WebPush"
        assert f"p256ecdsa={server_key}" in headers["Crypto-Key"].split(";")
        jwt = rest
    signed, _, signature = jwt.rpartition(".")
    raw = decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(server_key))
    public.verify(der, signed.encode(), ec.ECDSA(SHA256()))
    header, claims = (json.loads(decoded(part)) for part in signed.split("."))
    assert header == {"typ": "JWT", "alg": "ES256"}
    assert claims["aud"] == audience
    assert claims["sub"].startswith(("https:", "http:", "mailto:"))
    assert 0 < claims["exp"] - clock.now() / 1000 <= 24 * 3600


async def test_devices_are_told_in_either_encryption(instance: Instance, service: Service, alice: Account) -> None:
    carol = await instance.account("carol", name="Carol C.")
    modern, old = service.device("modern"), service.device("old")
    other_token = await instance.database.write(_second_token, alice)
    second = Account("alice", alice.id, alice.person_id, other_token, alice.uri)
    made = await subscribe(instance, alice, modern, alerts=("mention", "follow", "favourite"), standard=True)
    assert (made["endpoint"], made["standard"], made["policy"]) == (modern.endpoint, True, "all")
    assert (made["alerts"]["mention"], made["alerts"]["reblog"]) == (True, False)
    assert await instance.call("GET", PATH, by=alice) == made
    twice = await asyncio.gather(*(subscribe(instance, second, old) for _ in range(4)))
    assert [one["standard"] for one in twice] == [False] * 4
    instance_entity = await instance.call("GET", "/api/v2/instance")
    assert instance_entity["configuration"]["vapid"]["public_key"] == made["server_key"]
    assert len(decoded(made["server_key"])) == 65
    app = await instance.call("GET", "/api/v1/apps/verify_credentials", by=alice)
    assert app["vapid_key"] == made["server_key"]

    post = await instance.post(carol, "@alice hello <b> & all " + "word " * 20)
    assert service.received == [], "nothing before the workers work"
    await instance.tick()
    [told] = service.told(modern)
    [notification] = await instance.notifications(alice)
    assert told["notification_id"] == int(notification["id"])
    assert (told["notification_type"], told["access_token"]) == ("mention", alice.token)
    assert (told["title"], told["preferred_locale"]) == ("Carol C. mentioned you", "en")
    assert told["body"].startswith("@alice hello <b> & all word")
    assert told["icon"] == notification["account"]["avatar_static"]
    [old_told] = service.told(old)
    assert (old_told["access_token"], old_told["body"]) == (other_token, told["body"])
    by_path = {path: headers for path, _, headers in service.received}
    assert by_path["/modern"]["Content-Encoding"] == "aes128gcm"
    assert by_path["/old"]["Content-Encoding"] == "aesgcm"
    for headers in by_path.values():
        check_vapid(headers, service.url, made["server_key"])
        assert headers["TTL"] == "172800"
    assert alice.token not in str([body for _, body, _ in service.received])
    assert await queued(instance) == []

    mine = await instance.post(alice, "like me")
    await instance.call("POST", f"/api/v1/statuses/{mine['id']}/favourite", by=carol)
    await instance.call("POST", f"/api/v1/statuses/{mine['id']}/reblog", by=carol)
    await instance.follow(carol, f"@alice@{instance.domain}")
    await instance.tick()
    kinds = [told["notification_type"] for told in service.told(modern)]
    assert sorted(kinds) == ["favourite", "follow", "mention"]
    assert len(service.told(old)) == 1

    changed = await instance.call("PUT", PATH, by=alice, json={"data": {"alerts": {"reblog": "1"}}})
    assert (changed["alerts"]["reblog"], changed["alerts"]["mention"], changed["policy"]) == (True, False, "all")
    changed = await instance.call("PUT", PATH, by=alice, data={"data[policy]": "none"})
    assert (changed["alerts"]["reblog"], changed["policy"]) == (True, "none")
    # What is withdrawn before it is sent is not told.
    await instance.post(carol, "@alice oops")
    await instance.call("DELETE", f"/api/v1/statuses/{post['id']}", by=carol)
    assert await instance.call("DELETE", PATH, by=second) == {}
    await instance.tick()
    assert len(service.received) == 4
    await instance.call("GET", PATH, by=second, status=404)
    await instance.call("PUT", PATH, by=second, json={}, status=404)


def _second_token(tx: Connection, account: Account) -> str:
    scopes = access.parse_scopes("read push")
    return access.token_create(tx, person_id=account.person_id, actor_id=account.id, scopes=scopes, now=clock.now())


async def test_of_whom_a_device_is_told(instance: Instance, service: Service, alice: Account) -> None:
    carol, dave = await instance.account("carol"), await instance.account("dave")
    device = service.device()
    await instance.follow(alice, f"@carol@{instance.domain}")
    await instance.follow(dave, f"@alice@{instance.domain}")
    for policy, wanted in (("all", 2), ("followed", 1), ("follower", 1), ("none", 0)):
        service.received.clear()
        await subscribe(instance, alice, device, policy=policy, standard=True)
        for by in (carol, dave):
            await instance.post(by, f"@alice {policy}")
        await instance.tick()
        names = [told["title"].split()[0] for told in service.told(device)]
        assert len(names) == wanted, policy
        assert policy != "followed" or names == ["@carol"]
    # Kept back by the policy for notifications, or muted: not told either.
    await subscribe(instance, alice, device, standard=True)
    await instance.call("PATCH", "/api/v2/notifications/policy", by=alice, json={"for_not_following": "filter"})
    await instance.post(dave, "@alice filtered")
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/mute", by=alice)
    await instance.post(carol, "@alice muted")
    service.received.clear()
    await instance.tick()
    assert service.received == []
    assert await queued(instance) == []


async def test_a_subscription_ends_with_its_device(instance: Instance, service: Service, alice: Account) -> None:
    carol = await instance.account("carol")
    device = service.device()
    for status in (404, 410):
        await subscribe(instance, alice, device)
        service.status = status
        await instance.post(carol, f"@alice {status}")
        await instance.tick()
        await instance.call("GET", PATH, by=alice, status=404)
        assert await queued(instance) == []
    # Away: later. Refused: not again, and after ten times never.
    await subscribe(instance, alice, device)
    service.status, service.headers = 503, {"Retry-After": "7200"}
    await instance.post(carol, "@alice later")
    await instance.tick()
    [waiting] = await queued(instance)
    assert waiting.due_at > clock.now() + HOUR
    assert waiting.attempts == 1
    service.headers = {}
    for attempts in range(2, 5):
        await make_due(instance)
        await instance.tick()
        [waiting] = await queued(instance)
        assert (waiting.attempts, waiting.leased_until) == (attempts, None)
    await make_due(instance, created_at=clock.now() - 2 * DAY)
    await instance.tick()
    assert await queued(instance) == [], "no news any more"
    service.status = 403
    for n in range(10):
        assert await subscriptions(instance) == 1
        await instance.post(carol, f"@alice refused {n}")
        await instance.tick()
    assert await subscriptions(instance) == 0


async def test_whoever_is_signed_out_is_told_nothing(instance: Instance, service: Service, alice: Account) -> None:
    carol = await instance.account("carol")
    device = service.device()
    await subscribe(instance, alice, device)
    await instance.post(carol, "@alice on its way")
    assert len(await queued(instance)) == 1

    def end(tx: Connection) -> None:
        access.end_all(tx, alice.person_id, now=clock.now())

    await instance.database.write(end)
    await instance.post(carol, "@alice after that")
    assert len(await queued(instance)) == 1
    await instance.tick()
    assert service.received == []
    assert await queued(instance) == []


async def test_a_device_that_is_away_is_told_a_hundred_times_at_most(
    instance: Instance, service: Service, alice: Account
) -> None:
    carol = await instance.account("carol")
    await subscribe(instance, alice, service.device(), alerts=("favourite",))
    [subscription] = await instance.database.read(lambda tx: tx.execute(select(push_subscriptions)).all())

    def fill(tx: Connection) -> None:
        row = {"subscription_id": subscription.id, "notification_id": 1, "created_at": 0, "due_at": clock.now() + DAY}
        tx.execute(pushes.insert(), [{"id": n, **row} for n in range(1, 101)])

    await instance.database.write(fill)
    mine = await instance.post(alice, "like me")
    await instance.call("POST", f"/api/v1/statuses/{mine['id']}/favourite", by=carol)
    assert len(await queued(instance)) == 100


async def test_push_services_at_once(make_instance: MakeInstance, service: Service) -> None:
    """One that cannot be reached keeps nobody else from being told."""
    nobody = f"127.0.0.1:{free_port()}"
    instance = await make_instance(allowed_private_addresses=f"{urlsplit(service.url).netloc},{nobody}")
    alice, carol, dave = [await instance.account(name) for name in ("alice", "carol", "dave")]
    here = service.device()
    await subscribe(instance, alice, Device(f"http://{nobody}/"))
    await subscribe(instance, dave, here)
    await instance.post(carol, "@alice @dave hello")
    await instance.tick()
    assert len(service.told(here)) == 1
    [waiting] = await queued(instance)
    assert "could not be reached" in waiting.last_error


@pytest.mark.attack("SSRF-08")
async def test_no_endpoint_leads_inside(instance: Instance, service: Service, alice: Account) -> None:
    carol = await instance.account("carol")
    device = service.device()
    async with listening("0.0.0.0") as canary:
        for endpoint in (
            f"http://127.0.0.1:{canary.port}/",
            f"https://127.0.0.1:{canary.port}/",
            "https://10.0.0.1/push",
            f"https://[::1]:{canary.port}/",
            f"https://[::ffff:127.0.0.1]:{canary.port}/",
            f"http://2130706433:{canary.port}/",
            f"https://0x7f000001:{canary.port}/",
            f"http://localhost:{canary.port}/",
            "https://user@push.example/",
            "ftp://push.example/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "",
            "x" * 5000,
        ):
            subscription = {**device.subscription(), "endpoint": endpoint}
            sent = {"subscription": subscription, "data": {"alerts": {"mention": True}}}
            await instance.call("POST", PATH, by=alice, json=sent, status=422)
        # A name that leads inside is looked at when it is called.
        device.endpoint = f"https://localhost:{canary.port}/inside"
        await subscribe(instance, alice, device)
        await instance.post(carol, "@alice hello")
        await instance.tick()
        assert canary.accepted == []
    assert await subscriptions(instance) == 0
    assert await queued(instance) == []


@pytest.mark.attack("API-01")
async def test_a_token_has_no_other_subscription_than_its_own(
    instance: Instance, service: Service, alice: Account
) -> None:
    mallory = await instance.account("mallory")
    made = await subscribe(instance, alice, service.device())
    await instance.call("GET", PATH, by=mallory, status=404)
    await instance.call("PUT", PATH, by=mallory, json={"data": {"policy": "none"}}, status=404)
    await instance.call("DELETE", PATH, by=mallory)
    await subscribe(instance, mallory, service.device("theirs"))
    assert await instance.call("GET", PATH, by=alice) == made
    await instance.post(mallory, "@alice hello")
    await instance.tick()
    assert [path for path, _, _ in service.received] == ["/device"]
    # The token is not to be read from the database.
    [stored] = [
        row.access_token
        for row in await instance.database.read(lambda tx: tx.execute(select(push_subscriptions)).all())
        if row.actor_id == alice.id
    ]
    assert alice.token not in stored


async def test_what_is_no_subscription_is_refused(instance: Instance, service: Service, alice: Account) -> None:
    good = service.device().subscription()
    auth = good["keys"]["auth"]
    changes: list[dict[str, Any]] = [
        {"keys": {"p256dh": "", "auth": auth}},
        {"keys": {"p256dh": encoded(b"\x04" + bytes(64)), "auth": auth}},
        {"keys": {"p256dh": "é!", "auth": auth}},
        {"keys": {**good["keys"], "auth": "AAAA"}},
        {"keys": {"auth": auth}},
        {"keys": 5},
        {"keys": None},
        {"endpoint": 5},
        {"endpoint": {"a": "b"}},
        {"standard": [1]},
    ]
    bodies: list[dict[str, Any]] = [{"subscription": {**good, **change}} for change in changes]
    bodies += [{"subscription": []}, {"subscription": good, "data": {"policy": "x"}}, {"subscription": good, "data": 1}]
    for body in bodies:
        async with instance.http.post(instance.url + PATH, json=body, headers=alice.headers) as response:
            assert response.status in {400, 422}, body
    assert await subscriptions(instance) == 0


async def test_keys_are_made_once(make_instance: MakeInstance, instance: Instance) -> None:
    other = await make_instance()
    keys = [
        (await one.call("GET", "/api/v2/instance"))["configuration"]["vapid"]["public_key"] for one in (instance, other)
    ]
    assert keys[0] != keys[1]
    registered = await instance.call(
        "POST", "/api/v1/apps", json={"client_name": "App", "redirect_uris": "https://app.example/"}
    )
    assert registered["vapid_key"] == keys[0]
