"""How actors here are found by other servers: their documents, WebFinger, host-meta, NodeInfo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from multidict import CIMultiDictProxy
from sqlalchemy import Connection

from fediverse import clock, moderation
from fediverse.actors import directory
from fediverse.actors.closing import close
from fediverse.actors.webfinger import Asked, read_resource
from fediverse.errors import BadRequest
from fediverse.serving import prefers_page
from fediverse.urls import Urls
from tests.conftest import MakeInstance
from tests.peers.scripted import Actor, Server, signed
from tests.support.instance import Account, Instance

AP = "application/activity+json"
LD = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@dataclass
class Got:
    """An answer, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


async def get(instance: Instance, path: str, accept: str | None = AP, **headers: str) -> Got:
    """What the path answers; redirects are not followed."""
    sent = ({"Accept": accept} if accept is not None else {}) | headers
    async with instance.http.get(instance.url + path, headers=sent, allow_redirects=False) as response:
        return Got(response.status, response.headers, await response.read())


async def signed_get(instance: Instance, actor: Actor, path: str, **options: Any) -> Got:
    """What the path answers to a GET that the actor signs."""
    url = instance.url + path
    headers = signed(actor, url, b"", method="GET", covered="(request-target) host date", **options)
    async with instance.http.get(url, headers=[*headers, ("Accept", AP)], allow_redirects=False) as response:
        return Got(response.status, response.headers, await response.read())


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (AP, False),
        ("Application/Activity+JSON", False),
        (f"{AP}; charset=utf-8", False),
        (LD, False),
        ("application/ld+json;profile=https://www.w3.org/ns/activitystreams", False),
        ('application/ld+json; charset=utf-8; profile="https://www.w3.org/ns/activitystreams"', False),
        ('application/ld+json; profile="https://example.com/x, y https://www.w3.org/ns/activitystreams"', False),
        ("application/ld+json", False),
        (f"{AP}, {LD}", False),
        (f"{LD}, {AP}, text/html;q=0.1", False),
        (f"{AP}, text/html", False),
        (f"text/html, {AP}", True),
        (f"text/html;q=0.5, {AP}", False),
        (f"{AP};q=0.5, text/html;q=0.9", True),
        ("application/json", False),
        ("application/json, text/plain, */*", False),
        ("text/html", True),
        (BROWSER, True),
        ("application/xhtml+xml", True),
        ("*/*", False),
        ("", False),
        ("text/html;q=0", False),
        (f"{AP};q=nonsense, text/html", True),
        ("image/png, nonsense;;;,,", False),
    ],
)
def test_who_gets_the_page(accept: str, page: bool) -> None:
    assert prefers_page(accept) is page


async def test_the_actor_for_servers_and_the_page_for_people(instance: Instance, alice: Account) -> None:
    document = await get(instance, "/users/alice")
    assert (document.status, document.headers["Content-Type"]) == (200, AP)
    assert document.headers["Cache-Control"].startswith("public, max-age=")
    page = await get(instance, "/users/alice", BROWSER)
    assert (page.status, page.headers["Location"]) == (302, f"{instance.url}/@alice")
    for answer in (document, page):
        assert "Accept" in answer.headers["Vary"]
    assert "ETag" not in page.headers
    people = await get(instance, "/@alice", BROWSER)
    assert people.headers["Content-Type"].startswith("text/html")
    assert people.headers.get("ETag") != document.headers["ETag"]


async def test_the_document_of_an_actor(instance: Instance, alice: Account) -> None:
    actor = (await get(instance, "/users/alice")).json
    base = f"{instance.url}/users/alice"
    assert actor["id"] == alice.uri == base
    assert actor["type"] == "Person"
    assert actor["preferredUsername"] == "alice"
    for name in ("inbox", "outbox", "followers", "following", "featured"):
        assert actor[name] == f"{base}/{name}"
    assert actor["endpoints"] == {"sharedInbox": f"{instance.url}/inbox"}
    assert actor["publicKey"]["id"] == f"{base}#main-key"
    assert actor["publicKey"]["owner"] == base
    assert actor["publicKey"]["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert actor["assertionMethod"][0]["type"] == "Multikey"
    assert actor["manuallyApprovesFollowers"] is False


async def test_conditional_requests(instance: Instance, alice: Account) -> None:
    first = await get(instance, "/users/alice")
    again = await get(instance, "/users/alice", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert "Accept" in again.headers["Vary"]
    weak = await get(instance, "/users/alice", **{"If-None-Match": f'"x", W/{first.headers["ETag"]}'})
    assert weak.status == 304
    await instance.database.write(lambda tx: directory.update_local(tx, alice.id, name="Alice B."))
    changed = await get(instance, "/users/alice", **{"If-None-Match": first.headers["ETag"]})
    assert (changed.status, changed.json["name"]) == (200, "Alice B.")


async def test_ids_are_exact_and_unknown_ones_are_not_there(instance: Instance, alice: Account) -> None:
    for path in ("/users/ALICE", "/users/nobody", f"/users/{instance.domain}"):
        answer = await get(instance, path)
        assert answer.status == 404
        assert answer.json["error"]
    assert (await get(instance, "/users/alice/")).status == 404


async def test_the_instance_actor(instance: Instance) -> None:
    actor = (await get(instance, "/actor")).json
    assert (actor["id"], actor["type"]) == (f"{instance.url}/actor", "Application")
    assert actor["publicKey"]["id"] == f"{instance.url}/actor#main-key"
    outbox = (await get(instance, "/actor/outbox")).json
    assert (outbox["id"], outbox["totalItems"]) == (actor["outbox"], 0)


async def test_a_deleted_actor_is_a_tombstone(instance: Instance, alice: Account) -> None:
    assert (await get(instance, "/users/alice")).status == 200

    def change(tx: Connection) -> None:
        row = directory.by_id(tx, alice.id)
        assert row is not None
        close(tx, instance.settings.urls, row, now=clock.now())

    await instance.database.write(change)
    gone = await get(instance, "/users/alice")
    assert (gone.status, gone.json["type"], gone.json["formerType"]) == (410, "Tombstone", "Person")
    for name in ("outbox", "followers", "following", "featured"):
        assert (await get(instance, f"/users/alice/{name}")).status == 410
    assert (await webfinger(instance, f"acct:alice@{instance.domain}")).status == 410


async def test_a_suspended_actor_is_not_there(instance: Instance, alice: Account) -> None:
    await instance.database.write(moderation.set_suspended, alice.id, True, now=clock.now())
    for path in ("/users/alice", "/users/alice/outbox"):
        assert (await get(instance, path)).status == 404
    assert (await webfinger(instance, f"acct:alice@{instance.domain}")).status == 404
    await instance.database.write(moderation.set_suspended, alice.id, False, now=clock.now())
    assert (await get(instance, "/users/alice")).status == 200


@pytest.mark.attack("PRV-07")
async def test_whom_one_blocks_gets_the_key_and_nothing_else(
    instance: Instance, alice: Account, peer: Server, other_peer: Server
) -> None:
    bob, carol = peer.actor("bob"), other_peer.actor("carol")
    await instance.post(alice, "Hello")
    found = await instance.find(alice, bob.handle)
    await instance.call("POST", f"/api/v1/accounts/{found['id']}/block", by=alice)
    stub = await signed_get(instance, bob, "/users/alice")
    assert stub.status == 200
    assert stub.json["publicKey"]["id"] == f"{alice.uri}#main-key"
    assert not {"name", "summary", "outbox", "followers", "attachment"} & set(stub.json)
    assert "private" in stub.headers["Cache-Control"]
    for name in ("outbox", "followers", "following", "featured"):
        assert (await signed_get(instance, bob, f"/users/alice/{name}")).status == 403
        allowed = await signed_get(instance, carol, f"/users/alice/{name}")
        assert allowed.status == 200
        assert "private" in allowed.headers["Cache-Control"]


@pytest.mark.attack("PRV-07")
async def test_a_blocked_host_gets_the_key_and_nothing_else(instance: Instance, alice: Account, peer: Server) -> None:
    bob = peer.actor("bob")
    await instance.database.write(moderation.block_host, peer.host, severity="block", now=clock.now())
    assert "outbox" not in (await signed_get(instance, bob, "/users/alice")).json
    assert (await signed_get(instance, bob, "/users/alice/outbox")).status == 403


async def webfinger(instance: Instance, resource: str, *more: tuple[str, str]) -> Got:
    params = [("resource", resource), *more]
    async with instance.http.get(f"{instance.url}/.well-known/webfinger", params=params) as response:
        return Got(response.status, response.headers, await response.read())


async def test_webfinger_by_handle_and_by_address(instance: Instance, alice: Account) -> None:
    for resource in (
        f"acct:alice@{instance.domain}",
        f"acct:ALICE@{instance.domain.upper()}",
        f"alice@{instance.domain}",
        alice.uri,
        f"{instance.url}/@alice",
        f"{instance.url}/@Alice",
    ):
        found = await webfinger(instance, resource)
        assert found.status == 200, resource
        assert found.headers["Content-Type"].startswith("application/jrd+json")
        assert found.headers["Access-Control-Allow-Origin"] == "*"
        assert found.json["subject"] == f"acct:alice@{instance.domain}"
        links = {link["rel"]: link for link in found.json["links"]}
        assert links["self"] == {"rel": "self", "type": AP, "href": alice.uri}
        assert links["http://webfinger.net/rel/profile-page"]["href"] == f"{instance.url}/@alice"
        template = links["http://ostatus.org/schema/1.0/subscribe"]["template"]
        assert template == f"{instance.url}/authorize_interaction?uri={{uri}}"


async def test_webfinger_of_the_server_itself(instance: Instance) -> None:
    for resource in (
        instance.url,
        f"{instance.url}/",
        f"{instance.url}/actor",
        f"acct:{instance.domain}@{instance.domain}",
        f"acct:127.0.0.1@{instance.domain}",
    ):
        found = await webfinger(instance, resource)
        assert found.status == 200, resource
        assert {link["href"] for link in found.json["links"]} == {f"{instance.url}/actor"}
    back = await webfinger(instance, found.json["subject"])
    assert back.json == found.json


async def test_webfinger_tells_what_was_asked_for(instance: Instance, alice: Account) -> None:
    found = await webfinger(instance, f"acct:alice@{instance.domain}", ("rel", "self"), ("rel", "unknown"))
    assert [link["rel"] for link in found.json["links"]] == ["self"]


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ("acct:nobody@{domain}", 404),
        ("acct:alice@elsewhere.example", 404),
        ("https://elsewhere.example/users/alice", 404),
        ("{url}/users/ALICE", 404),
        ("{url}/users/alice/inbox", 404),
        ("{url}/users/alice?x", 404),
        ("mailto:alice@{domain}", 404),
        ("acct:alice", 400),
        ("acct:@", 400),
        ("alice", 400),
        ("", 400),
        ("acct:al ice@{domain}", 400),
    ],
)
async def test_webfinger_of_what_is_not_there(instance: Instance, alice: Account, resource: str, status: int) -> None:
    found = await webfinger(instance, resource.format(domain=instance.domain, url=instance.url))
    assert found.status == status
    assert found.json["error"]


async def test_webfinger_wants_one_resource(instance: Instance) -> None:
    assert (await get(instance, "/.well-known/webfinger")).status == 400
    assert (await webfinger(instance, "acct:a@b", ("resource", "acct:c@d"))).status == 400


def test_handles_on_a_domain_of_their_own() -> None:
    urls = Urls("https://social.company.example", "company.example")
    for resource in (
        "acct:brand@company.example",
        "acct:brand@social.company.example",
        "acct:brand@company.example:443",
        "acct:@brand@Company.Example",
    ):
        assert read_resource(urls, resource) == Asked("brand", fold=True)
    assert read_resource(urls, "https://social.company.example/@brand") == Asked("brand", fold=True)
    assert read_resource(urls, "https://social.company.example/users/brand") == Asked("brand")
    assert read_resource(urls, "https://company.example/users/brand") is None
    assert read_resource(urls, "acct:brand@company.example:8443") is None
    with pytest.raises(BadRequest):
        read_resource(urls, "x" * 5000)


async def test_a_split_domain_served(make_instance: MakeInstance) -> None:
    instance = await make_instance(domain="company.example")
    await instance.account("brand")
    found = await webfinger(instance, "acct:brand@company.example")
    assert found.json["subject"] == "acct:brand@company.example"
    assert found.json["links"][0]["href"] == f"{instance.url}/users/brand"
    async with instance.http.get(f"{instance.url}/.well-known/host-meta", headers={"Host": "company.example"}) as meta:
        assert f'template="{instance.url}/.well-known/webfinger?resource={{uri}}"' in await meta.text()


async def test_host_meta(instance: Instance) -> None:
    xml = await get(instance, "/.well-known/host-meta", None)
    assert xml.headers["Content-Type"].startswith("application/xrd+xml")
    template = f"{instance.url}/.well-known/webfinger?resource={{uri}}"
    assert f'<Link rel="lrdd" template="{template}"/>'.encode() in xml.body
    for path, accept in (("/.well-known/host-meta.json", None), ("/.well-known/host-meta", "application/json")):
        found = await get(instance, path, accept)
        assert found.json == {"links": [{"rel": "lrdd", "template": template}]}
        assert found.headers["Access-Control-Allow-Origin"] == "*"


async def test_nodeinfo_counts_truly(instance: Instance, alice: Account) -> None:
    bob = await instance.account("bob")
    spam = await instance.account("spam")
    first = await instance.post(alice, "One")
    await instance.post(bob, "Two", in_reply_to_id=first["id"])
    await instance.post(bob, "For few", visibility="private")
    gone = await instance.post(alice, "Three")
    await instance.call("DELETE", f"/api/v1/statuses/{gone['id']}", by=alice)
    await instance.call("POST", f"/api/v1/statuses/{first['id']}/reblog", by=bob)
    await instance.database.write(moderation.set_suspended, spam.id, True, now=clock.now())
    links = (await get(instance, "/.well-known/nodeinfo")).json["links"]
    assert [link["rel"].rsplit("/", 1)[1] for link in links] == ["2.0", "2.1"]
    for link in links:
        found = await get(instance, link["href"].removeprefix(instance.url))
        version = link["rel"].rsplit("/", 1)[1]
        assert found.headers["Content-Type"] == f'application/json; profile="{link["rel"]}#"'
        assert found.json["version"] == version
        assert found.json["software"]["name"] == "fediverse"
        assert found.json["protocols"] == ["activitypub"]
        assert found.json["openRegistrations"] is False
        usage = found.json["usage"]
        assert usage["users"] == {"total": 2, "activeMonth": 2, "activeHalfyear": 2}
        assert (usage["localPosts"], usage["localComments"]) == (3, 1)
    assert (await get(instance, "/nodeinfo/3.0")).status == 404


@pytest.mark.attack("DOS-14")
async def test_a_crowd_is_served_from_one_read(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "Everybody looks at this")
    path = f"/users/alice/statuses/{posted['id']}"
    reads = 0
    read = instance.database.read

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*arguments, **named)

    instance.database.read = counted  # type: ignore[method-assign]
    paths = [path, "/users/alice", f"/.well-known/webfinger?resource=acct:alice@{instance.domain}"]
    for one in paths:
        answers = await asyncio.gather(*(get(instance, one) for _ in range(100)))
        assert {answer.status for answer in answers} == {200}
        assert len({(answer.body, answer.headers["ETag"]) for answer in answers}) == 1
    assert reads <= 2 * len(paths)  # a second may have passed


@pytest.mark.attack("NET-05")
async def test_methods(instance: Instance, alice: Account) -> None:
    expected = {"/users/alice": "GET", "/users/alice/outbox": "GET", "/.well-known/webfinger": "GET", "/inbox": "POST"}
    for path, allowed in expected.items():
        for method in ("PUT", "DELETE", "PROPFIND"):
            async with instance.http.request(method, instance.url + path) as response:
                assert response.status == 405
                assert allowed in response.headers["Allow"]
    async with instance.http.head(instance.url + "/users/alice", headers={"Accept": AP}) as response:
        assert response.status == 200
    for path in ("/inbox", "/users/alice/inbox"):
        assert (await get(instance, path)).status == 405


@pytest.mark.attack("NET-03")
async def test_host_names_that_are_not_ours(instance: Instance, alice: Account) -> None:
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}):
        answer = await get(instance, "/users/alice", **headers)
        assert answer.status in {200, 421}
        assert b"evil.example" not in answer.body
    assert (await get(instance, "/users/alice", Host="evil.example")).status == 421
