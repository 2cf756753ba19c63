"""Whatever is sent, a request is either accepted or refused with a reason; nothing else is raised."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fediverse.signatures import SignatureError, parse, verify
from tests.support.signers import (
    BODY,
    ED25519,
    HOST,
    NOW,
    RSA,
    Lines,
    cavage,
    content_digest,
    inbox_headers,
    rfc9421,
)

KEYS = [RSA.public_key(), ED25519.public_key()]
REASONS = {"missing", "malformed", "weak", "stale", "digest", "mismatch", "host", "algorithm", "key"}
CAVAGE = cavage(inbox_headers())
RFC9421 = rfc9421([("Host", HOST), content_digest()])

NAMES = ["Signature", "Signature-Input", "Host", "Date", "Digest", "Content-Digest", "(created)", "X"]
PIECES = [
    *("keyId=", "headers=", "algorithm=", "signature=", "created=", "expires=", "keyid=", "alg="),
    *('"', ",", "=", " ", "\\", "(", ")", ";", ":", "?1", "@1", "\u00e4", "\udc80", "\n", "\0"),
    *("(request-target)", "host", "date", "digest", "hs2019", "rsa-sha256", "sig1", '"@method"', '"@target-uri"'),
    *("1790000000", "AAAA", "sha-256"),
]

values = st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
lines = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8)
methods = st.sampled_from(["GET", "POST", "post", "HEAD", "", "DELETE"]) | st.text(max_size=5)
targets = (
    st.sampled_from(["/inbox", "/inbox?a=b", "/", ""]) | st.text(max_size=20) | st.text(max_size=20).map("/".__add__)
)


def judge(method: str, target: str, headers: Lines, body: bytes | None, key) -> bool:
    """True when accepted, False when refused; every other exception fails the test."""
    try:
        verify(parse(method, target, headers), key, body=body, now=NOW, hosts={HOST})
    except SignatureError as error:
        if error.reason not in REASONS:
            raise
        return False
    return True


@settings(deadline=None)
@given(methods, targets, lines, st.none() | st.binary(max_size=9), st.sampled_from(KEYS))
def test_anything(method, target, headers, body, key):
    assert not judge(method, target, headers, body, key)


@st.composite
def damaged(draw: st.DrawFn, honest: Lines) -> Lines:
    """An honest request with a piece of one header cut out, doubled or overwritten, or a whole line more or less."""
    changed = list(honest)
    index = draw(st.integers(0, len(changed) - 1))
    name, value = changed[index]
    start = draw(st.integers(0, len(value)))
    end = draw(st.integers(start, min(len(value), start + 12)))
    piece = draw(st.sampled_from(["", value[start:end] * 2, *PIECES]))
    changed[index] = (name, value[:start] + piece + value[end:])
    match draw(st.integers(0, 5)):
        case 0:
            del changed[draw(st.integers(0, len(changed) - 1))]
        case 1:
            changed.insert(draw(st.integers(0, len(changed))), (draw(st.sampled_from(NAMES)), draw(values)))
    return changed


@pytest.mark.parametrize("honest", [CAVAGE, RFC9421], ids=["cavage", "rfc9421"])
@settings(deadline=None)
@given(data=st.data())
def test_damaged_requests_never_vouch_for_another_body_place_or_host(honest, data):
    headers = data.draw(damaged(honest))
    for key in KEYS:
        judge("POST", "/inbox", headers, BODY, key)
        assert not judge("POST", "/inbox", headers, BODY + b"!", key)
        assert not judge("POST", "/users/alice/inbox", headers, BODY, key)
        assert not judge("PUT", "/inbox", headers, BODY, key)
        with suppress(SignatureError):
            parsed = parse("POST", "/inbox", headers)
            with pytest.raises(SignatureError):
                verify(parsed, key, body=BODY, now=NOW, hosts={"other.example"})


@settings(deadline=None)
@given(st.sampled_from([CAVAGE, RFC9421]), st.binary(max_size=80))
def test_only_the_body_that_was_signed_passes(honest, body):
    assert judge("POST", "/inbox", honest, body, KEYS[0]) == (body == BODY)


def test_the_honest_ones_pass():
    assert judge("POST", "/inbox", CAVAGE, BODY, KEYS[0])
    assert judge("POST", "/inbox", RFC9421, BODY, KEYS[0])
