"""Actors as other servers find them: their documents, WebFinger, host-meta, NodeInfo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from aiohttp import hdrs, web
from sqlalchemy import Connection, Row

from fediverse import clock, documents, keys
from fediverse.actors import directory, nodeinfo, profile, requester, webfinger
from fediverse.actors.served import NAME, NO_ACTOR, local_actor
from fediverse.errors import BadRequest, Gone, NotFound
from fediverse.serving import (
    ANSWERS,
    JRD,
    JSON,
    Answer,
    Answers,
    answer,
    of_body,
    prefers_page,
    respond,
    to_page,
)
from fediverse.site import Recent
from fediverse.urls import Urls

routes = web.RouteTableDef()

CENSUS: web.AppKey[nodeinfo.Census] = web.AppKey("census")
# Rendered documents by (id, version): what changes gets another key.
_DOCUMENTS: web.AppKey[Recent] = web.AppKey("actor_documents")


def add_routes(app: web.Application) -> None:
    """The application serves actors and tells where they are."""
    app.add_routes(routes)
    app[_DOCUMENTS] = Recent(1024)
    app.cleanup_ctx.append(_means)


async def _means(app: web.Application) -> AsyncIterator[None]:
    app[ANSWERS] = Answers(app[keys.DATABASE])
    app[CENSUS] = nodeinfo.Census(app[keys.DATABASE])
    yield


@routes.get(f"/users/{NAME}")
async def actor(request: web.Request) -> web.Response:
    """The actor; for browsers the way to its page. Whom it blocks gets no more than its key."""
    name, urls = request.match_info["name"], request.app[keys.URLS]
    if prefers_page(request.headers.get(hdrs.ACCEPT, "")):
        to_page(urls.profile(name))
    kept, key_id = request.app[_DOCUMENTS], requester.claimed_key(request)

    def read(tx: Connection) -> Answer:
        row = local_actor(tx, name)
        if row.deleted_at is not None:
            return _gone(urls, row)
        if key_id and requester.is_refused(tx, key_id, row.id):
            stub = documents.key_document(urls, row, directory.keys_of(tx, row.id))
            return answer(stub, public=False)
        return _rendered(tx, urls, kept, row)

    found = await request.app[ANSWERS].get(("actor", name, key_id), read)
    return respond(request, found, signed=bool(key_id))


@routes.get("/actor")
async def instance_actor(request: web.Request) -> web.Response:
    """The actor that signs this server's own requests: for everybody, since it is needed to verify those."""
    urls = request.app[keys.URLS]

    def read(tx: Connection) -> Answer:
        row = directory.instance_actor(tx)
        return answer(documents.instance_actor_document(urls, row, directory.keys_of(tx, row.id)))

    return respond(request, await request.app[ANSWERS].get("instance", read))


@routes.get("/actor/outbox")
async def instance_outbox(request: web.Request) -> web.Response:
    """The instance actor posts nothing."""
    id_ = f"{request.app[keys.URLS].instance_actor}/outbox"
    return respond(request, answer(documents.ordered_collection(id_, total=0, items=[])))


@routes.get("/.well-known/webfinger")
async def find(request: web.Request) -> web.Response:
    """What RFC 7033 says of a local account, or of the server itself."""
    resources = request.query.getall("resource", [])
    if len(resources) != 1:
        raise BadRequest("Ask for one resource: /.well-known/webfinger?resource=acct:name@host")
    urls, rels = request.app[keys.URLS], tuple(request.query.getall("rel", []))
    asked = webfinger.read_resource(urls, resources[0])
    if asked is None:
        raise NotFound(NO_ACTOR)

    def read(tx: Connection) -> Answer:
        if asked.server:
            row = directory.instance_actor(tx)
            return answer(webfinger.server_descriptor(urls, row.username, rels=rels), content_type=JRD)
        row = local_actor(tx, asked.username, fold=asked.fold)
        if row.deleted_at is not None:
            raise Gone("This account was deleted.")
        picture = profile.picture(tx, urls, row.avatar)
        avatar = (picture.url, picture.media_type) if picture is not None else None
        return answer(webfinger.descriptor(urls, row.username, rels=rels, avatar=avatar), content_type=JRD)

    return respond(request, await request.app[ANSWERS].get(("webfinger", asked, rels), read))


@routes.get("/.well-known/host-meta")
async def host_meta(request: web.Request) -> web.Response:
    """The way to WebFinger, as XRD; as JSON for whom that suits better."""
    if "json" in request.headers.get(hdrs.ACCEPT, ""):
        return respond(request, answer(webfinger.host_meta_json(request.app[keys.URLS]), content_type=JSON))
    body = webfinger.host_meta(request.app[keys.URLS])
    return respond(request, of_body(body, content_type="application/xrd+xml; charset=utf-8"))


@routes.get("/.well-known/host-meta.json")
async def host_meta_json(request: web.Request) -> web.Response:
    """The way to WebFinger, as JSON."""
    return respond(request, answer(webfinger.host_meta_json(request.app[keys.URLS]), content_type=JSON))


@routes.get("/.well-known/nodeinfo")
async def nodeinfo_links(request: web.Request) -> web.Response:
    """Where NodeInfo is."""
    return respond(request, answer(nodeinfo.links(request.app[keys.URLS]), content_type=JSON))


@routes.get("/nodeinfo/{version:2\\.[01]}")
async def nodeinfo_document(request: web.Request) -> web.Response:
    """What this server is, and how many are here."""
    version, site = request.match_info["version"], request.app[keys.SITE]
    counts = await request.app[CENSUS].counts(now=clock.now())
    document = nodeinfo.document(
        counts, version=version, software_version=site.version, registrations=site.registrations
    )
    schema = f"http://nodeinfo.diaspora.software/ns/schema/{version}#"
    return respond(request, answer(document, content_type=f'application/json; profile="{schema}"'))


def _gone(urls: Urls, row: Row[Any]) -> Answer:
    left = documents.tombstone(urls.actor(row.username), former_type=row.kind, deleted=row.deleted_at)
    return answer(left, status=410)


def _rendered(tx: Connection, urls: Urls, kept: Recent, row: Row[Any]) -> Answer:
    key = (row.id, row.version)
    found: Answer | None = kept.get(key)
    if found is None:
        found = answer(profile.document(tx, urls, row))
        kept.put(key, found)
    return found
