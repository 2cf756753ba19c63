"""The front of both dialects for requests that come in: read, check without a key, check with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fediverse.signatures import cavage, rfc9421
from fediverse.signatures.keys import PublicKey
from fediverse.signatures.request import (
    Dialect,
    SignatureError,
    SignedRequest,
    check_line,
    fold,
    refuse,
)

_HTTPS = frozenset({"https"})


def parse(method: str, raw_path_with_query: str, headers: Sequence[tuple[str, str]]) -> SignedRequest:
    """Returns what the request claims about its signature, nothing of it proven.

    The path is the one on the request line, still encoded. The headers are all field lines in their order. Raises
    :class:`SignatureError`: ``missing`` when there is no signature, else mostly ``malformed``.
    """
    folded = fold(headers)
    if "signature" not in folded:
        refuse("missing", "The request is not signed. Sign it as draft-cavage or RFC 9421 describe.")
    if not raw_path_with_query.startswith("/") or not method.isalpha():
        refuse("malformed", "The request line cannot be signed.")
    check_line(raw_path_with_query)
    check_line(method)
    if "signature-input" in folded:
        return rfc9421.parse(method.upper(), raw_path_with_query, folded)
    return cavage.parse(method.upper(), raw_path_with_query, folded)


def precheck(
    parsed: SignedRequest,
    *,
    body: bytes | None,
    now: float,
    hosts: Collection[str],
    schemes: Collection[str] = _HTTPS,
) -> None:
    """Returns when only the key is still to be asked: coverage, algorithm, clock, host and digest are right.

    Called before the key is fetched, it keeps requests that can never pass from causing one. ``now`` is in seconds
    since the epoch; ``hosts`` are this instance's own configured names, with the port where it is not the scheme's.
    Raises :class:`SignatureError`.
    """
    if parsed.dialect is Dialect.RFC9421:
        rfc9421.precheck(parsed, body=body, now=now, hosts=hosts, schemes=schemes)
    else:
        cavage.precheck(parsed, body=body, now=now, hosts=hosts, schemes=schemes)


def verify(
    parsed: SignedRequest,
    public_key: PublicKey,
    *,
    body: bytes | None,
    now: float,
    hosts: Collection[str],
    schemes: Collection[str] = _HTTPS,
) -> None:
    """Returns when the holder of the key signed this request and body, recently, for this instance.

    Everything of :func:`precheck` is checked again, before the costlier signature. Raises :class:`SignatureError`;
    with the reason ``mismatch`` the sender may have a new key, and one more fetch of it is worth while.
    """
    precheck(parsed, body=body, now=now, hosts=hosts, schemes=schemes)
    try:
        if parsed.dialect is Dialect.RFC9421:
            rfc9421.verify_signature(parsed, public_key, hosts=hosts, schemes=schemes)
        else:
            cavage.verify_signature(parsed, public_key)
    except SignatureError:
        raise
    except Exception as error:  # whatever else the libraries think of: a bad request must not become a 500
        raise SignatureError("malformed", "The signature cannot be checked.") from error
