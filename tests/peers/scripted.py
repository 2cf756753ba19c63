"""A remote server that does exactly what a test tells it to: honest by default, and able to misbehave.

It listens on a loopback port of its own, has actors with their own RSA and Ed25519 keys, serves them with WebFinger,
serves whatever documents a test puts at its paths, counts what is asked of it, and keeps what is delivered to it.
Its signatures are written with ``cryptography`` alone: nothing here uses the code under test.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
CONTEXT = ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"]
AP = "application/activity+json"

Document = dict[str, Any]
Key = RSAPrivateKey | Ed25519PrivateKey
Dialect = Literal["cavage", "rfc9421"]


def rsa_key(bits: int = 2048, exponent: int = 65537) -> RSAPrivateKey:
    """A new RSA key."""
    return generate_private_key(public_exponent=exponent, key_size=bits)


def pem(key: Any) -> str:
    """The public half in PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def raw_signature(key: Key, data: bytes) -> bytes:
    """The signature proper: RSA with PKCS #1 v1.5 and SHA-256, or Ed25519."""
    if isinstance(key, RSAPrivateKey):
        return key.sign(data, PKCS1v15(), SHA256())
    return key.sign(data)


def b64(raw: bytes) -> str:
    """Base64 as text."""
    return base64.b64encode(raw).decode()


@dataclass
class Actor:
    """An actor of a scripted server; tests may change whatever they like."""

    server: Server
    username: str
    key: Key
    extra: Document = field(default_factory=dict)
    counter: int = 0

    @property
    def uri(self) -> str:
        """The actor's id."""
        return f"{self.server.url}/users/{self.username}"

    @property
    def key_id(self) -> str:
        """The id of the actor's key."""
        return f"{self.uri}#main-key"

    @property
    def handle(self) -> str:
        """``@name@host:port``."""
        return f"@{self.username}@{self.server.host}"

    def document(self) -> Document:
        """The actor as its server tells it."""
        return {
            "@context": CONTEXT,
            "id": self.uri,
            "type": "Person",
            "preferredUsername": self.username,
            "name": self.username.title(),
            "inbox": f"{self.uri}/inbox",
            "outbox": f"{self.uri}/outbox",
            "followers": f"{self.uri}/followers",
            "following": f"{self.uri}/following",
            "endpoints": {"sharedInbox": f"{self.server.url}/inbox"},
            "url": f"{self.server.url}/@{self.username}",
            "publicKey": {"id": self.key_id, "owner": self.uri, "publicKeyPem": pem(self.key)},
            **self.extra,
        }

    def note(self, content: str = "Hello", **changes: Any) -> Document:
        """A public Note of the actor's; its id is new unless given. It is not served until ``server.serve(note)``."""
        self.counter += 1
        return {
            "id": f"{self.uri}/statuses/{self.counter}",
            "type": "Note",
            "attributedTo": self.uri,
            "content": f"<p>{content}</p>",
            "published": stamp(),
            "to": [PUBLIC],
            "cc": [f"{self.uri}/followers"],
            **changes,
        }

    def mention(self, uri: str, content: str = "Hello", **changes: Any) -> Document:
        """A Note that mentions the actor with this id."""
        tag = [{"type": "Mention", "href": uri, "name": "@somebody"}]
        return self.note(content, cc=[f"{self.uri}/followers", uri], tag=tag, **changes)

    def activity(self, kind: str, obj: Any, **changes: Any) -> Document:
        """An activity of the actor's, with a new id."""
        self.counter += 1
        document = {
            "@context": CONTEXT[0],
            "id": f"{self.uri}#{kind.lower()}s/{self.counter}",
            "type": kind,
            "actor": self.uri,
            "object": obj,
        }
        if isinstance(obj, dict):
            document |= {name: obj[name] for name in ("to", "cc") if name in obj}
        return {**document, **changes}


def stamp(offset: float = 0) -> str:
    """The time now, or some seconds from now, as documents write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset))


def rfc3339(instant: float) -> str:
    """Seconds since the epoch as documents write them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant))


@dataclass
class Received:
    """A delivery that came in."""

    path: str
    headers: dict[str, str]
    body: Document


class Server:
    """A scripted server on ``http://127.0.0.1:PORT``."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.host = urlsplit(url).netloc
        self.http = http
        self.actors: dict[str, Actor] = {}
        self.documents: dict[str, Document] = {}
        #: (path) → answer, for whatever a document cannot do: other statuses, types, redirects, endless bodies.
        self.scripts: dict[str, Callable[[web.Request], Any]] = {}
        self.gets: Counter[str] = Counter()
        self.received: list[Received] = []
        self.webfinger = True
        self.refuse_deliveries = 0

    def actor(self, username: str = "bob", *, key: Key | None = None, **extra: Any) -> Actor:
        """A new actor, served from now on."""
        self.actors[username] = actor = Actor(self, username, key or shared_key(username), extra)
        return actor

    def serve(self, document: Document) -> Document:
        """The document is served at its id, without the id's fragment."""
        self.documents[urlsplit(document["id"]).path] = document
        return document

    def types(self) -> list[str]:
        """The types of what was delivered here, in order."""
        return [one.body["type"] for one in self.received]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Every request to this server."""
        path = request.path
        if request.method == "POST":
            if self.refuse_deliveries:
                return web.Response(status=self.refuse_deliveries)
            self.received.append(Received(path, dict(request.headers), json.loads(await request.read())))
            return web.Response(status=202)
        self.gets[path] += 1
        if path in self.scripts:
            answer = self.scripts[path](request)
            return await answer if asyncio.iscoroutine(answer) else answer
        if path == "/.well-known/webfinger":
            return self._webfinger(request.query.get("resource", ""))
        parts = path.split("/")
        if len(parts) == 3 and parts[1] == "users" and parts[2] in self.actors:
            return document_response(self.actors[parts[2]].document())
        if path in self.documents:
            return document_response(self.documents[path])
        return web.Response(status=404)

    def _webfinger(self, resource: str) -> web.Response:
        username, _, host = resource.removeprefix("acct:").partition("@")
        if not self.webfinger or username not in self.actors or host != self.host:
            return web.Response(status=404)
        links = [{"rel": "self", "type": AP, "href": self.actors[username].uri}]
        return web.json_response({"subject": resource, "links": links}, content_type="application/jrd+json")

    async def send(self, actor: Actor, inbox: str, activity: Any, **options: Any) -> int:
        """The status with which ``inbox`` answers the signed activity; options as for :func:`signed`."""
        body = activity if isinstance(activity, bytes) else json.dumps(activity).encode()
        sent_body = options.pop("sent_body", body)
        status, _ = await self.post(inbox, sent_body, signed(actor, inbox, body, **options))
        return status

    async def post(self, url: str, body: Any, headers: list[tuple[str, str]]) -> tuple[int, str]:
        """(status, text) of the answer to exactly this request."""
        async with self.http.post(url, data=body, headers=headers) as response:
            return response.status, await response.text()


def document_response(document: Document, *, content_type: str = AP, status: int = 200) -> web.Response:
    """An ActivityPub document as an answer."""
    return web.Response(body=json.dumps(document).encode(), status=status, headers={"Content-Type": content_type})


def signed(
    actor: Actor,
    url: str,
    body: bytes,
    *,
    dialect: Dialect = "cavage",
    key: Key | None = None,
    key_id: str | None = None,
    age: float = 0,
    no_date: bool = False,
    host: str | None = None,
    covered: str = "(request-target) host date digest",
    components: str = '"@method" "@target-uri" "content-digest"',
    created: bool = True,
    label: str = "sig1",
    algorithm: str = "rsa-sha256",
    content_type: str = AP,
    method: str = "POST",
    target: str | None = None,
    extra: dict[str, str] | None = None,
    make_signature: Callable[[bytes], bytes] | None = None,
) -> list[tuple[str, str]]:
    """The headers of a request that the actor signs, ``age`` seconds ago; options make it a little wrong."""
    parts = urlsplit(url)
    now = time.time() - age
    path = target or (parts.path + (f"?{parts.query}" if parts.query else ""))
    digest = b64(hashlib.sha256(body).digest())
    host = host or parts.netloc
    sign = make_signature or (lambda data: raw_signature(key or actor.key, data))
    headers = {"Host": host, "Content-Type": content_type, **(extra or {})}
    if dialect == "cavage":
        headers |= {"Digest": f"SHA-256={digest}"}
        if not no_date:
            headers["Date"] = formatdate(now, usegmt=True)
        values = {name.lower(): value for name, value in headers.items()}
        values["(request-target)"] = f"{method.lower()} {path}"
        lines = "\n".join(f"{name}: {values[name]}" for name in covered.split())
        headers["Signature"] = (
            f'keyId="{key_id or actor.key_id}",algorithm="{algorithm}",headers="{covered}",'
            f'signature="{b64(sign(lines.encode()))}"'
        )
        return list(headers.items())
    headers["Content-Digest"] = f"sha-256=:{digest}:"
    values = {
        '"@method"': method,
        '"@target-uri"': f"{parts.scheme}://{host}{path}",
        '"@path"': parts.path,
        '"content-digest"': headers["Content-Digest"],
        '"content-type"': content_type,
    }
    stamp_ = f";created={int(now)}" if created else ""
    params = f'({components}){stamp_};keyid="{key_id or actor.key_id}"'
    base = "".join(f"{name}: {values[name]}\n" for name in components.split()) + f'"@signature-params": {params}'
    headers["Signature-Input"] = f"{label}={params}"
    headers["Signature"] = f"{label}=:{b64(sign(base.encode()))}:"
    return list(headers.items())


_KEYS: dict[str, RSAPrivateKey] = {}


def shared_key(name: str) -> RSAPrivateKey:
    """A key that belongs to this user name in all tests: making one takes time."""
    if name not in _KEYS:
        _KEYS[name] = rsa_key()
    return _KEYS[name]


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """A server that runs until the context ends."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    holder: list[Server] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await holder[0].handle(request)

    app.router.add_route("*", "/{path:.*}", handle)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http:
            holder.append(Server(f"http://127.0.0.1:{port}", http))
            yield holder[0]
    finally:
        await runner.cleanup()
