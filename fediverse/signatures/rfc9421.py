"""Signatures of RFC 9421 (HTTP Message Signatures) coming in: what they claim, what must be covered, do they hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import http_sf
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, MappingKeyResolver
from http_message_signatures.algorithms import ED25519, RSA_V1_5_SHA256

from fediverse.signatures.digests import check_content_digest
from fediverse.signatures.keys import PublicKey
from fediverse.signatures.request import (
    Dialect,
    SignatureError,
    SignedRequest,
    check_date,
    check_expires,
    check_host,
    check_instant,
    check_key_id,
    refuse,
)

_ALGORITHMS = frozenset({RSA_V1_5_SHA256.algorithm_id, ED25519.algorithm_id})
_KNOWN_PARAMETERS = frozenset({"alg", "created", "expires", "keyid", "nonce", "tag"})
_MAX_COVERED = 32


@dataclass(frozen=True, slots=True)
class Message:
    """The three fields of a request that http_message_signatures reads."""

    method: str
    url: str
    headers: dict[str, str]


class _Verifier(HTTPMessageVerifier):
    """The library's verifier without its clock: ``precheck`` has judged the times against the caller's."""

    def validate_created_and_expires(self, sig_input: Any, max_age: timedelta | None = None) -> None:
        """Returns always."""


def parse(method: str, target: str, headers: Mapping[str, str]) -> SignedRequest:
    """Returns what Signature-Input and Signature claim. Raises :class:`SignatureError` when they cannot be read."""
    inputs = _dictionary(headers["signature-input"])
    signatures = _dictionary(headers.get("signature", ""))
    label = _choose(inputs)
    components, parameters = inputs[label]
    signature = signatures.get(label, (None, {}))[0]
    if not isinstance(components, list) or not isinstance(signature, bytes):
        refuse("malformed", "Signature-Input and Signature do not belong together.")
    _check_parameters(parameters)
    key_id = parameters.get("keyid", "")
    check_key_id(key_id)
    covered, params = _serialised(components, parameters)
    return SignedRequest(
        dialect=Dialect.RFC9421,
        method=method,
        target=target,
        headers=headers,
        key_id=key_id,
        algorithm=parameters.get("alg"),
        covered=covered,
        created=parameters.get("created"),
        expires=parameters.get("expires"),
        signature=signature,
        label=label,
        signature_params=params,
    )


def _dictionary(value: str) -> dict[str, Any]:
    def twice(_key: str, _context: str) -> None:
        raise ValueError("repeated")

    try:
        parsed = http_sf.parse(value.encode("ascii"), tltype="dictionary", on_duplicate_key=twice)
    except Exception as error:  # its own tree, UnicodeEncodeError, ours above
        raise SignatureError("malformed", "The headers of the signature cannot be read.") from error
    if not isinstance(parsed, dict) or not parsed:
        refuse("malformed", "The headers of the signature are empty.")
    return parsed


def _choose(inputs: Mapping[str, Any]) -> str:
    """Returns the label of the one signature that counts: the one with a key id, else the first.

    A proxy may have added its own; there is no second chance for an attacker in trying them all.
    """
    named = [label for label, (_components, parameters) in inputs.items() if "keyid" in parameters]
    return named[0] if len(named) == 1 else next(iter(inputs))


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    """Returns when every parameter is a registered one (RFC 9421 §2.3) and of its type."""
    for name, value in parameters.items():
        expected = int if name in {"created", "expires"} else str
        if name not in _KNOWN_PARAMETERS or type(value) is not expected:
            refuse("malformed", "Signature-Input has a parameter that is unknown or of the wrong type.")


def _serialised(components: list[Any], parameters: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Returns the covered components – plain names as such, those with parameters as items – and the whole list."""
    if len(components) > _MAX_COVERED:
        refuse("malformed", "The signature covers far too many components.")
    try:
        covered = tuple(
            http_sf.ser((name, params)) if params or not isinstance(name, str) else name for name, params in components
        )
        return covered, http_sf.ser([(components, dict(parameters))])
    except Exception as error:  # its own tree
        raise SignatureError("malformed", "Signature-Input cannot be read.") from error


def precheck(
    parsed: SignedRequest,
    *,
    body: bytes | None,
    now: float,
    hosts: Collection[str],
    schemes: Collection[str],
) -> None:
    """Returns when nothing but the signature itself is left to be checked; raises :class:`SignatureError` otherwise.

    The host is only looked at where the header is covered; ``@authority`` and ``@target-uri`` are checked with the
    signature, because their values are ours and not the request's.
    """
    if parsed.algorithm is not None and parsed.algorithm not in _ALGORITHMS:
        refuse("algorithm", "The signature's algorithm is not accepted here. Use rsa-v1_5-sha256 or ed25519.")
    covered = set(parsed.covered)
    if "@method" not in covered or not _covers_target(covered, parsed.target):
        refuse("weak", "The signature must cover @method and @target-uri.")
    if parsed.needs_digest(body) and "content-digest" not in covered:
        refuse("weak", "The signature of a request with a body must cover content-digest.")
    if parsed.created is None:
        refuse("missing", "The signature does not say when it was created.")
    check_instant(parsed.created, now)
    check_expires(parsed.expires, now)
    if "date" in covered:
        check_date(parsed.headers.get("date"), now)
    if "host" in covered:
        check_host(parsed.headers.get("host"), hosts, schemes)
    if "content-digest" in covered or parsed.needs_digest(body):
        check_content_digest(parsed.headers.get("content-digest"), body or b"")


def _covers_target(covered: set[str], target: str) -> bool:
    if "@target-uri" in covered:
        return True
    return {"@authority", "@path"} <= covered and ("?" not in target or "@query" in covered)


def verify_signature(
    parsed: SignedRequest, key: PublicKey, *, hosts: Collection[str], schemes: Collection[str]
) -> None:
    """Returns when the key signed this request for one of our own addresses; raises ``mismatch`` otherwise.

    The address is made of the configured hosts, never of what the request says. This alone proves little: it says
    nothing of what is covered. Callers outside the package use ``verify``.
    """
    algorithm = RSA_V1_5_SHA256 if isinstance(key, RSAPublicKey) else ED25519
    if parsed.algorithm not in {None, algorithm.algorithm_id}:
        refuse("algorithm", "The signature's algorithm does not fit the sender's key.")
    verifier = _Verifier(
        signature_algorithm=algorithm,
        key_resolver=MappingKeyResolver(public_keys={parsed.key_id: key}, private_keys={}),
    )
    headers = _canonical(parsed)
    for origin in _origins(parsed, hosts, schemes):
        try:
            verifier.verify(Message(parsed.method, origin + parsed.target, headers), max_age=None)
        except InvalidSignature:
            continue
        except Exception as error:  # a target that is no URL, a component that cannot be resolved
            raise SignatureError("malformed", "The signature cannot be checked.") from error
        return
    refuse("mismatch", "The signature does not match the request, this server's address and the sender's key.")


def _origins(parsed: SignedRequest, hosts: Collection[str], schemes: Collection[str]) -> Iterator[str]:
    """Yields our own origins, the one that the request was sent to first: mostly one, so mostly one try."""
    sent_to = parsed.headers.get("host", "").lower()
    for host in sorted((host.lower() for host in hosts), key=lambda host: host != sent_to):
        for scheme in schemes:
            yield f"{scheme}://{host}"


def _canonical(parsed: SignedRequest) -> dict[str, str]:
    """Returns the covered headers and the one signature that was chosen, so that no other is read."""
    names = {name.partition(";")[0].strip('"') for name in parsed.covered}
    headers = {name: value for name, value in parsed.headers.items() if name in names}
    headers["signature-input"] = f"{parsed.label}={parsed.signature_params}"
    headers["signature"] = f"{parsed.label}={http_sf.ser((parsed.signature, {}))}"
    return headers
