"""Signatures of draft-cavage-http-signatures-12 coming in: what they claim, what must be covered, do they hold."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fediverse.signatures.digests import check_digest
from fediverse.signatures.keys import PublicKey
from fediverse.signatures.request import (
    SAFE_METHODS,
    Dialect,
    SignatureError,
    SignedRequest,
    check_date,
    check_expires,
    check_host,
    check_instant,
    check_key_id,
    check_line,
    refuse,
)
from fediverse.signatures.stock import ALGORITHMS, RequestVerifier

# Stricter than the draft: no escapes and no blanks inside, which no peer writes and parsers disagree about.
_PARAMETER = r'[A-Za-z]+=(?:"[^"\\]*"|[A-Za-z0-9_.:/+-]+)'
_PARAMETERS = re.compile(rf"{_PARAMETER}(?:[ \t]*,[ \t]*{_PARAMETER})*")
_EACH_PARAMETER = re.compile(r'([A-Za-z]+)=(?:"([^"\\]*)"|([A-Za-z0-9_.:/+-]+))')
_INTEGER = re.compile(r"[0-9]{1,12}")
_MAX_COVERED = 32


def parse(method: str, target: str, headers: Mapping[str, str]) -> SignedRequest:
    """Returns what the Signature header claims. Raises :class:`SignatureError` when it is not one."""
    parameters = _parameters(headers["signature"])
    key_id = parameters.get("keyid", "")
    check_key_id(key_id)
    if "signature" not in parameters:
        refuse("malformed", "The Signature header holds no signature.")
    if "headers" not in parameters:
        refuse("weak", "The signature does not say which headers it covers.")
    covered = tuple(parameters["headers"].split(" "))
    _check_covered(covered, headers)
    return SignedRequest(
        dialect=Dialect.CAVAGE,
        method=method,
        target=target,
        headers=headers,
        key_id=key_id,
        algorithm=parameters.get("algorithm"),
        covered=covered,
        created=_seconds(parameters, "created"),
        expires=_seconds(parameters, "expires"),
        signature=_decoded(parameters["signature"]),
    )


def _parameters(value: str) -> dict[str, str]:
    if not _PARAMETERS.fullmatch(value):
        refuse("malformed", "The Signature header cannot be read.")
    parameters: dict[str, str] = {}
    for name, quoted, token in _EACH_PARAMETER.findall(value):
        if name.lower() in parameters:
            refuse("malformed", "The Signature header names a parameter twice.")
        parameters[name.lower()] = quoted or token
    return parameters


def _seconds(parameters: Mapping[str, str], name: str) -> int | None:
    """Returns a time parameter. Lemmy quotes it and others do not; both are read."""
    text = parameters.get(name)
    if text is None:
        return None
    if not _INTEGER.fullmatch(text):
        refuse("malformed", "A time in the Signature header is not a whole number of seconds.")
    return int(text)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError("malformed", "The signature is not valid base64.") from error


def _check_covered(covered: tuple[str, ...], headers: Mapping[str, str]) -> None:
    if len(covered) > _MAX_COVERED or len(set(covered)) != len(covered):
        refuse("malformed", "The signature covers a header twice, or far too many.")
    for name in covered:
        if name != name.lower() or (not name and len(covered) > 1):
            refuse("malformed", "The list of signed headers must be in lower case, with single spaces.")
        if name and not name.startswith("(") and name not in headers:
            refuse("missing", "The signature covers a header that the request does not have.")
        check_line(headers.get(name, ""))


def precheck(
    parsed: SignedRequest,
    *,
    body: bytes | None,
    now: float,
    hosts: Collection[str],
    schemes: Collection[str],
) -> None:
    """Returns when nothing but the signature itself is left to be checked; raises :class:`SignatureError` otherwise."""
    algorithm = parsed.algorithm or "hs2019"
    if algorithm not in ALGORITHMS:
        refuse("algorithm", "The signature's algorithm is not accepted here. Use rsa-sha256 or hs2019.")
    covered = set(parsed.covered)
    if not {"(request-target)", "host"} <= covered or not covered & {"date", "(created)"}:
        refuse("weak", "The signature must cover (request-target), host, and date or (created).")
    if parsed.needs_digest(body) and "digest" not in covered:
        refuse("weak", "The signature of a request with a body must cover digest.")
    _check_times(parsed, covered, algorithm, now)
    check_host(parsed.headers.get("host"), hosts, schemes)
    if "digest" in covered or parsed.needs_digest(body):
        check_digest(parsed.headers.get("digest"), body or b"")


def _check_times(parsed: SignedRequest, covered: set[str], algorithm: str, now: float) -> None:
    for name, seconds in (("(created)", parsed.created), ("(expires)", parsed.expires)):
        if name in covered and seconds is None:
            refuse("missing", "The signature covers a time that it does not give.")
        if name in covered and algorithm != "hs2019":
            # draft-cavage-12 §2.3: an error where the algorithm names a hash.
            refuse("malformed", "Signed times need the algorithm hs2019.")
    if "date" in covered:
        check_date(parsed.headers.get("date"), now)
    if "(created)" in covered and parsed.created is not None:
        check_instant(parsed.created, now)
    check_expires(parsed.expires, now)


def verify_signature(parsed: SignedRequest, key: PublicKey) -> None:
    """Returns when the signature is the key's; raises ``mismatch``, or ``algorithm`` where the key is of another kind.

    This alone proves little: it says nothing of what is covered. Callers outside the package use ``verify``.
    """
    algorithm = parsed.algorithm or "hs2019"
    if algorithm == "rsa-sha256" and not isinstance(key, RSAPublicKey):
        refuse("algorithm", "The signature's algorithm does not fit the sender's key.")
    try:
        headers = _canonical(parsed, algorithm)
        verifier = RequestVerifier(headers, key, method=parsed.method, path=parsed.target)
        holds: bool = verifier.verify()
        if not holds and parsed.method in SAFE_METHODS and "?" in parsed.target:
            # Some peers sign a GET without its query string (older Mastodon and Pleroma).
            verifier.path = parsed.target.partition("?")[0]
            holds = verifier.verify()
    except Exception as error:  # httpsig raises bare Exceptions, KeyError, UnicodeEncodeError and more
        raise SignatureError("malformed", "The signature cannot be checked.") from error
    if not holds:
        refuse("mismatch", "The signature does not match the request and the sender's key.")


def _canonical(parsed: SignedRequest, algorithm: str) -> dict[str, str]:
    """Returns the headers as httpsig shall see them: only covered ones, and a Signature that we wrote ourselves.

    So it cannot read the attacker's header in another way than we did.
    """
    headers = {name: parsed.headers[name] for name in parsed.covered if name in parsed.headers}
    if parsed.created is not None:
        headers["(created)"] = str(parsed.created)
    if parsed.expires is not None:
        headers["(expires)"] = str(parsed.expires)
    headers["signature"] = (
        f'keyId="{parsed.key_id}",algorithm="{algorithm}",headers="{" ".join(parsed.covered)}",'
        f'signature="{base64.b64encode(parsed.signature).decode("ascii")}"'
    )
    return headers
