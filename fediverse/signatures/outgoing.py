"""Our own requests, signed: draft-cavage first, RFC 9421 for hosts that want it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from functools import cached_property
from typing import TypeAlias
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519, RSA_V1_5_SHA256

from fediverse.signatures.digests import digest as digest_of
from fediverse.signatures.keys import PrivateKey
from fediverse.signatures.request import MAX_KEY_ID, Dialect
from fediverse.signatures.rfc9421 import Message
from fediverse.signatures.stock import RequestSigner

Headers: TypeAlias = dict[str, str]

_DEFAULT_PORTS = {"https": 443, "http": 80}
_COVERED = ("(request-target)", "host", "date")
_COVERED_WITH_BODY = (*_COVERED, "digest")


class CannotSign(ValueError):
    """The address or the key id cannot stand in a signature; no later attempt will do better."""


class SigningKey:
    """A private key with the id under which it is published; load it once, sign with it often.

    Safe to use from several threads at once.
    """

    def __init__(self, key_id: str, private_key: PrivateKey) -> None:
        if not 0 < len(key_id) <= MAX_KEY_ID or not all("!" <= char <= "~" for char in key_id):
            raise CannotSign("the key id is not a usable address")
        if '"' in key_id or "\\" in key_id:
            raise CannotSign("the key id would end its own quotation")
        self.key_id = key_id
        self.private_key = private_key

    @cached_property
    def without_body(self) -> RequestSigner:
        """httpsig's signer for requests without a body."""
        return self._signer(_COVERED)

    @cached_property
    def with_body(self) -> RequestSigner:
        """httpsig's signer for requests with a body, whose digest is covered."""
        return self._signer(_COVERED_WITH_BODY)

    def _signer(self, covered: tuple[str, ...]) -> RequestSigner:
        # Misskey insists on the parameter, and everyone reads rsa-sha256; Ed25519 has no other name in the draft.
        algorithm = "rsa-sha256" if isinstance(self.private_key, RSAPrivateKey) else "hs2019"
        return RequestSigner(self.key_id, self.private_key, algorithm=algorithm, covered=covered)

    @cached_property
    def rfc9421(self) -> HTTPMessageSigner:
        """http_message_signatures' signer for this key."""
        return HTTPMessageSigner(
            signature_algorithm=RSA_V1_5_SHA256 if isinstance(self.private_key, RSAPrivateKey) else ED25519,
            key_resolver=MappingKeyResolver(public_keys={}, private_keys={self.key_id: self.private_key}),
        )


def sign_cavage(
    key: SigningKey,
    method: str,
    url: str,
    *,
    date: str | float,
    body: bytes | None = None,
    digest: str | None = None,
) -> Headers:
    """Returns the headers to send: Host, Date, Signature, and Digest when there is a body.

    ``date`` is a finished Date header or seconds since the epoch. A ``digest`` that was made before saves making it
    again for every recipient. The URL must be sent exactly as given. Raises :class:`CannotSign` for a URL that
    cannot be signed.
    """
    _, host, target = _split(url)
    stamp = date if isinstance(date, str) else formatdate(date, usegmt=True)
    headers = {"Host": host, "Date": stamp}
    if digest is None and body is not None:
        digest = digest_of(body)
    signer = key.without_body
    if digest is not None:
        headers["Digest"] = digest
        signer = key.with_body
    headers["Signature"] = signer.sign(headers, method=method, path=target)["signature"]
    return headers


def sign_rfc9421(key: SigningKey, method: str, url: str, *, now: float, body: bytes | None = None) -> Headers:
    """Returns the headers to send: Host, Signature-Input, Signature, and Content-Digest when there is a body.

    ``now`` is in seconds since the epoch. Covered are @method, @target-uri and the digest. Raises
    :class:`CannotSign` for a URL that cannot be signed.
    """
    scheme, host, target = _split(url)
    message = Message(method.upper(), f"{scheme}://{host}{target}", {"Host": host})
    try:
        key.rfc9421.sign(
            message,
            key_id=key.key_id,
            created=datetime.fromtimestamp(now, UTC),
            label="sig1",
            covered_component_ids=("@method", "@target-uri"),
            body=body,
        )
    except Exception as error:  # its URL grammar is stricter than ours
        raise CannotSign("the address cannot stand in a signature") from error
    return message.headers


def _split(url: str) -> tuple[str, str, str]:
    """Returns scheme, Host header and request target of a URL, as an HTTP client sends them."""
    if not all("!" <= char <= "~" for char in url):
        raise CannotSign("the address holds characters that must be encoded")
    try:
        parts = urlsplit(url)
        port, name = parts.port, parts.hostname
    except ValueError as error:
        raise CannotSign("the address is not a URL") from error
    if parts.scheme not in _DEFAULT_PORTS or not name:
        raise CannotSign("the address is not a URL of the web")
    host = f"[{name}]" if ":" in name else name
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    target = parts.path or "/"
    # Not parts.query: "/inbox?" and "/inbox" are two targets.
    if "?" in url.partition("#")[0]:
        target = f"{target}?{parts.query}"
    return parts.scheme, host, target


@dataclass(frozen=True, slots=True)
class SigningJob:
    """One request that is to be signed."""

    key: SigningKey
    method: str
    url: str
    body: bytes | None = None
    dialect: Dialect = Dialect.CAVAGE


def sign_many(jobs: Iterable[SigningJob], *, now: float) -> list[Headers | CannotSign]:
    """Returns for each job its headers, or why it cannot be signed: one bad address must not hold up a batch.

    A plain loop, made for one hop into a thread: signing releases the interpreter lock. Bodies that are equal are
    digested once.
    """
    date = formatdate(now, usegmt=True)
    digests: dict[bytes, str] = {}
    results: list[Headers | CannotSign] = []
    for job in jobs:
        try:
            if job.dialect is Dialect.RFC9421:
                results.append(sign_rfc9421(job.key, job.method, job.url, body=job.body, now=now))
                continue
            made = None
            if job.body is not None and (made := digests.get(job.body)) is None:
                made = digests[job.body] = digest_of(job.body)
            results.append(sign_cavage(job.key, job.method, job.url, date=date, digest=made))
        except CannotSign as error:
            results.append(error)
    return results
