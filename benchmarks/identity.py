"""The people of the other servers: their names, documents, keys and signatures. Pure, and independent of the server's
own code: what it signs is checked, and what it checks is signed, with ``cryptography`` alone.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
CONTEXT = ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"]
ACTIVITY_JSON = "application/activity+json"
WORDS = (
    "The quick reader of this line will notice that it says little, and says it at about the length at which people "
    "write to each other on most servers of this kind: two sentences, a comma, no news."
)

Document = dict[str, Any]
Kind = Literal["own", "shared"]


@dataclass(frozen=True, slots=True)
class Peer:
    """An account elsewhere. ``own…`` has an inbox of its own only, ``shared…`` one that its whole server shares."""

    base: str
    name: str

    @property
    def uri(self) -> str:
        """The actor's id."""
        return f"{self.base}/users/{self.name}"

    @property
    def host(self) -> str:
        """The host with its port."""
        return self.base.removeprefix("http://")

    @property
    def handle(self) -> str:
        """``@name@host:port``."""
        return f"@{self.name}@{self.host}"

    @property
    def shared_inbox(self) -> str | None:
        """The server's inbox, for the kind that has one."""
        return f"{self.base}/inbox" if self.name.startswith("shared") else None


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Hosts 127.0.78.1, 127.0.78.2, … (then 127.0.79.1, …), all on one port."""

    hosts: int
    port: int

    def address(self, number: int) -> str:
        """The loopback address of a host; they are numbered from 0."""
        return f"127.0.{78 + number // 250}.{number % 250 + 1}"

    def peers(self, kind: Kind, count: int, *, first: int = 0) -> list[Peer]:
        """Accounts spread evenly over the hosts, numbered from ``first``."""
        return [
            Peer(f"http://{self.address(number % self.hosts)}:{self.port}", f"{kind}{number}")
            for number in range(first, first + count)
        ]


class Keys:
    """A few RSA-2048 keys that all accounts share: making one takes longer than most benchmarks."""

    def __init__(self, count: int) -> None:
        self._keys = [generate_private_key(public_exponent=65537, key_size=2048) for _ in range(count)]

    def of(self, name: str) -> RSAPrivateKey:
        """The key of an account."""
        return self._keys[number_of(name) % len(self._keys)]

    def public(self) -> list[str]:
        """The public halves as PEM, in order."""
        return [
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            for key in self._keys
        ]


def number_of(name: str) -> int:
    """The number in an account's name."""
    return int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))


def stamp() -> str:
    """The time now, as documents write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def actor_document(peer: Peer, public_key: str) -> Document:
    """The account as its server tells it."""
    document: Document = {
        "@context": CONTEXT,
        "id": peer.uri,
        "type": "Person",
        "preferredUsername": peer.name,
        "name": f"Number {number_of(peer.name)}",
        "summary": "<p>Exists while a benchmark runs.</p>",
        "url": f"{peer.base}/@{peer.name}",
        "inbox": f"{peer.uri}/inbox",
        "outbox": f"{peer.uri}/outbox",
        "followers": f"{peer.uri}/followers",
        "following": f"{peer.uri}/following",
        "published": "2025-01-01T00:00:00Z",
        "publicKey": {"id": f"{peer.uri}#main-key", "owner": peer.uri, "publicKeyPem": public_key},
    }
    if peer.shared_inbox:
        document["endpoints"] = {"sharedInbox": peer.shared_inbox}
    return document


def note(
    author: Peer, serial: str, *, mentions: tuple[str, str] | None = None, in_reply_to: str | None = None
) -> Document:
    """A public Note; ``mentions`` is the (id, handle) of somebody."""
    cc, tag, content = [f"{author.uri}/followers"], [], f"<p>{WORDS} {serial}</p>"
    if mentions:
        uri, handle = mentions
        cc.append(uri)
        tag.append({"type": "Mention", "href": uri, "name": handle})
        content = (
            f'<p><span class="h-card"><a href="{uri}" class="u-url mention">@<span>{handle[1:].partition("@")[0]}'
            f"</span></a></span> {WORDS} {serial}</p>"
        )
    return {
        "id": f"{author.uri}/notes/{serial}",
        "type": "Note",
        "attributedTo": author.uri,
        "published": stamp(),
        "url": f"{author.base}/@{author.name}/{serial}",
        "to": [PUBLIC],
        "cc": cc,
        "inReplyTo": in_reply_to,
        "content": content,
        "tag": tag,
        "attachment": [],
        "sensitive": False,
        "summary": None,
    }


def activity(author: Peer, kind: str, serial: str, obj: Any) -> Document:
    """An activity of the author's; it is addressed as its object is, and to the public when that is an id."""
    addressed = obj if isinstance(obj, dict) else {"to": [PUBLIC], "cc": [f"{author.uri}/followers"]}
    return {
        "@context": CONTEXT,
        "id": f"{author.uri}#{kind.lower()}/{serial}",
        "type": kind,
        "actor": author.uri,
        "object": obj,
        "published": stamp(),
        "to": addressed["to"],
        "cc": addressed["cc"],
    }


def follow(author: Peer, target: str) -> Document:
    """A Follow of the actor with this id."""
    return {
        "@context": CONTEXT,
        "id": f"{author.uri}#follow/{time.monotonic_ns()}",
        "type": "Follow",
        "actor": author.uri,
        "object": target,
    }


def signed_post(url: str, author: Peer, key: RSAPrivateKey, document: Document) -> bytes:
    """A whole HTTP request that posts the document, signed in the draft-cavage dialect now."""
    body = orjson.dumps(document)
    digest = "SHA-256=" + _b64(hashlib.sha256(body).digest())
    lines = _signed("POST", url, author, key, {"digest": digest})
    return _request([*lines, f"Content-Type: {ACTIVITY_JSON}", f"Content-Length: {len(body)}"]) + body


def signed_get(url: str, author: Peer, key: RSAPrivateKey, accept: str = ACTIVITY_JSON) -> bytes:
    """A whole HTTP request that asks for a document, signed in the draft-cavage dialect now."""
    return _request([*_signed("GET", url, author, key, {}), f"Accept: {accept}"])


def plain(method: str, url: str, *, headers: dict[str, str] | None = None, body: bytes | None = None) -> bytes:
    """A whole HTTP request without a signature."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return _request(lines) + (body or b"")


def _signed(method: str, url: str, author: Peer, key: RSAPrivateKey, more: dict[str, str]) -> list[str]:
    parts = urlsplit(url)
    values = {
        "(request-target)": f"{method.lower()} {parts.path}",
        "host": parts.netloc,
        "date": formatdate(usegmt=True),
        **more,
    }
    text = "\n".join(f"{name}: {value}" for name, value in values.items())
    signature = _b64(key.sign(text.encode(), PKCS1v15(), SHA256()))
    return [
        f"{method} {parts.path} HTTP/1.1",
        *(f"{name.title()}: {value}" for name, value in values.items() if not name.startswith("(")),
        f'Signature: keyId="{author.uri}#main-key",algorithm="rsa-sha256",headers="{" ".join(values)}",'
        f'signature="{signature}"',
    ]


def _request(lines: Sequence[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


def is_well_signed(head: str, body: bytes, key: RSAPublicKey) -> bool:
    """Whether a delivery's digest is the body's and its draft-cavage signature covers it and is the key's."""
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    claimed = dict(_PARAMETER.findall(headers.get("signature", "")))
    covered = claimed.get("headers", "").split(" ")
    if not {"(request-target)", "host", "date", "digest"} <= set(covered):
        return False
    if headers["digest"] != "SHA-256=" + _b64(hashlib.sha256(body).digest()):
        return False
    values = {**headers, "(request-target)": f"{method.lower()} {target}"}
    text = "\n".join(f"{name}: {values[name]}" for name in covered)
    try:
        key.verify(base64.b64decode(claimed["signature"]), text.encode(), PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
