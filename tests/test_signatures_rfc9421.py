"""RFC 9421 signatures coming in: the RFC's own vectors, what passes, and what only one check stops."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fediverse.signatures import (
    MAX_AGE,
    MAX_SKEW,
    Dialect,
    SignatureError,
    load_public,
    parse,
    precheck,
    verify,
)
from fediverse.signatures.rfc9421 import verify_signature
from tests.support.signers import (
    BODY,
    ED25519,
    HOST,
    KEY_ID,
    NOW,
    OTHER_RSA,
    RSA,
    Lines,
    b64,
    content_digest,
    http_date,
    rfc9421,
)

PUBLIC = RSA.public_key()
HTTPS = ("https",)


def receive(
    headers: Lines, *, method="POST", target="/inbox", body=BODY, key=PUBLIC, now=NOW, hosts=(HOST,), schemes=HTTPS
):
    verify(parse(method, target, headers), key, body=body, now=now, hosts=hosts, schemes=schemes)


def refused(headers: Lines, **kwargs) -> str:
    with pytest.raises(SignatureError) as caught:
        receive(headers, **kwargs)
    assert caught.value.status == 401
    return caught.value.reason


def post_headers(body: bytes = BODY) -> Lines:
    return [("Host", HOST), ("Content-Type", "application/activity+json"), content_digest(body)]


def params(*, created: float | None = NOW, keyid: str | None = KEY_ID, more: str = "") -> str:
    first = "" if created is None else f";created={int(created)}"
    return first + ("" if keyid is None else f';keyid="{keyid}"') + more


# RFC 9421 appendix B.1.4 and B.1.1: the public keys; B.2: the request; B.2.6 and §4.3: the signatures.
RFC_ED25519 = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
"""
RFC_RSA = """-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAhAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2jdsPBRrw
WEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3MOEt8uA5txSKobBpKDeBLOsdJKFq
MGmXCQvEG7YemcxDTRPxAleIAgYYRjTSd/QBwVW9OwNFhekro3RtlinV0a75jfZg
kne/YiktSvLG34lw2zqXBDTC5NHROUqGTlML4PlNZS5Ri2U4aCNx2rUPRcKIlE0P
uKxI4T+HIaFpv8+rdV6eUgOrB2xeI1dSFFn/nnv5OoZJEIB+VmuKn3DCUcCZSFlQ
PSXSfBDiUGhwOw76WuSSsf1D4b/vLoJ10wIDAQAB
-----END RSA PUBLIC KEY-----
"""
RFC_BODY = b'{"hello": "world"}'
RFC_TARGET = "/foo?param=Value&Pet=dog"
RFC_DIGEST = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
B26: Lines = [
    ("Host", "example.com"),
    ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
    ("Content-Type", "application/json"),
    ("Content-Digest", RFC_DIGEST),
    ("Content-Length", "18"),
    (
        "Signature-Input",
        'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"',
    ),
    (
        "Signature",
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
    ),
]
PROXY_SIG: Lines = [
    ("Host", "origin.host.internal.example"),
    ("Date", "Tue, 20 Apr 2021 02:07:56 GMT"),
    ("Content-Type", "application/json"),
    ("Content-Length", "18"),
    ("Forwarded", "for=192.0.2.123;host=example.com;proto=https"),
    ("Content-Digest", RFC_DIGEST),
    (
        "Signature-Input",
        'proxy_sig=("@method" "@authority" "@path" "content-digest" "content-type" "content-length" "forwarded")'
        ';created=1618884480;keyid="test-key-rsa";alg="rsa-v1_5-sha256";expires=1618884540',
    ),
    (
        "Signature",
        "proxy_sig=:S6ZzPXSdAMOPjN/6KXfXWNO/f7V6cHm7BXYUh3YD/fRad4BCaRZxP+JH+8XY1I6+8Cy+CM5g92iHgxtRPz+MjniO"
        "aYmdkDcnL9cCpXJleXsOckpURl49GwiyUpZ10KHgOEe11sx3G2gxI8S0jnxQB+Pu68U9vVcasqOWAEObtNKKZd8tSFu7LB5YAv0R"
        "AGhB8tmpv7sFnIm9y+7X5kXQfi8NMaZaA8i2ZHwpBdg7a6CMfwnnrtflzvZdXAsD3LH2TwevU+/PBPv0B6NMNk93wUs/vfJvye+Y"
        "uI87HU38lZHowtznbLVdp770I6VHR6WfgS9ddzirrswsE1w5o0LV/g==:",
    ),
]
VECTORS = [
    (B26, RFC_ED25519, "example.com", 1618884473),
    (PROXY_SIG, RFC_RSA, "origin.host.internal.example", 1618884480),
]


@pytest.mark.parametrize(("lines", "pem", "host", "now"), VECTORS, ids=["B.2.6", "4.3"])
def test_the_rfcs_vectors_hold_and_only_for_their_host_and_request(lines, pem, host, now):
    key = load_public(pem)
    parsed = parse("POST", RFC_TARGET, lines)
    verify_signature(parsed, key, hosts={host}, schemes=HTTPS)
    for wrong in (
        parse("PUT", RFC_TARGET, lines),
        parse("POST", "/bar", lines),
        parse("POST", RFC_TARGET, [(name, "19" if name == "Content-Length" else value) for name, value in lines]),
    ):
        with pytest.raises(SignatureError):
            verify_signature(wrong, key, hosts={host}, schemes=HTTPS)
    with pytest.raises(SignatureError):
        verify_signature(parsed, key, hosts={"other.example"}, schemes=HTTPS)


@pytest.mark.parametrize(("lines", "pem", "host", "now"), VECTORS, ids=["B.2.6", "4.3"])
def test_the_rfcs_vectors_cover_too_little_for_an_inbox(lines, pem, host, now):
    # Neither covers the query; the first leaves the digest out as well.
    assert refused(lines, target=RFC_TARGET, body=RFC_BODY, key=load_public(pem), now=now, hosts={host}) == "weak"


# What passes.


def test_an_honest_post_passes_and_tells_who_claims_to_have_signed():
    headers = rfc9421(post_headers())
    receive(headers)
    parsed = parse("POST", "/inbox", headers)
    assert (parsed.dialect, parsed.key_id, parsed.label) == (Dialect.RFC9421, KEY_ID, "sig1")
    assert parsed.covered == ("@method", "@target-uri", "content-digest")
    assert parsed.created == int(NOW)


def test_ed25519_passes_with_and_without_its_name():
    for more in ("", ';alg="ed25519"'):
        receive(rfc9421(post_headers(), key=ED25519, params=params(more=more)), key=ED25519.public_key())


def test_the_name_of_rsa_passes():
    receive(rfc9421(post_headers(), params=params(more=';alg="rsa-v1_5-sha256"')))


@pytest.mark.parametrize("label", ["sig1", "sig-b26", "mastodon"])
def test_any_label_will_do(label):
    receive(rfc9421(post_headers(), label=label))


@pytest.mark.attack("SIG-17")
def test_a_signed_get_passes():
    url = f"https://{HOST}/users/a?page=1"
    signed = rfc9421([("Host", HOST)], method="GET", url=url, covered=("@method", "@target-uri"))
    receive(signed, method="GET", target="/users/a?page=1", body=None)
    assert refused(signed, method="GET", target="/users/a?page=2", body=None) == "mismatch"
    assert refused(signed, method="GET", target="/users/a", body=None) == "mismatch"


def test_authority_path_and_query_stand_for_the_target():
    covered = ("@method", "@authority", "@path", "content-digest")
    receive(rfc9421(post_headers(), covered=covered))
    url, target = f"https://{HOST}/inbox?a=b", "/inbox?a=b"
    assert refused(rfc9421(post_headers(), covered=covered, url=url), target=target) == "weak"
    receive(rfc9421(post_headers(), covered=(*covered, "@query"), url=url), target=target)


def test_covered_headers_are_checked_too():
    covered = ("@method", "@target-uri", "content-digest", "content-type")
    signed = rfc9421(post_headers(), covered=covered)
    receive(signed)
    changed = [(name, "text/plain" if name == "Content-Type" else value) for name, value in signed]
    assert refused(changed) == "mismatch"


def test_our_address_is_tried_with_each_own_host_and_scheme():
    hosts = ("brand.example", "127.0.0.1:18299")
    signed = rfc9421(post_headers(), url="http://127.0.0.1:18299/inbox")
    receive(signed, hosts=hosts, schemes=("https", "http"))
    assert refused(signed, hosts=hosts, schemes=HTTPS) == "mismatch"


def test_the_clock_is_the_callers():
    ancient = 1_000_000_000
    receive(rfc9421(post_headers(), params=params(created=ancient)), now=ancient + 60)


# What is refused, each with a signature that would otherwise hold.


def test_sig02_body_changed_after_signing():
    assert refused(rfc9421(post_headers()), body=BODY + b" ") == "digest"


def test_sig02_every_digest_must_match():
    right, wrong = b64(hashlib.sha256(BODY).digest()), b64(hashlib.sha512(b"other").digest())
    headers = [("Content-Digest", f"sha-256=:{right}:, sha-512=:{wrong}:")]
    assert refused(rfc9421(headers)) == "digest"
    for value in ("", "md5=:AAAA:", "sha-256=5", "sha-256=:AAAA:", f"sha-256={right}"):
        assert refused(rfc9421([("Content-Digest", value)])) == "digest"


@pytest.mark.attack("SIG-17")
def test_sig17_created_missing():
    assert refused(rfc9421(post_headers(), params=params(created=None))) == "missing"


@pytest.mark.attack("SIG-17")
@pytest.mark.parametrize("covered", [(), ("@target-uri", "content-digest"), ("@method", "content-digest"),
                                     ("@method", "@path", "content-digest"),
                                     ("@method", "@authority", "content-digest")])  # fmt: skip
def test_sig17_method_or_target_not_covered(covered):
    assert refused(rfc9421(post_headers(), covered=covered)) == "weak"


@pytest.mark.attack("SIG-17")
def test_sig17_content_digest_absent_or_unsigned():
    covered = ("@method", "@target-uri")
    assert refused(rfc9421(post_headers(), covered=covered)) == "weak"
    assert refused(rfc9421([("Host", HOST)], covered=covered)) == "weak"
    assert refused(rfc9421([("Host", HOST)], covered=covered), body=b"") == "weak"
    signed = rfc9421(post_headers())
    assert refused([line for line in signed if line[0] != "Content-Digest"]) == "digest"


def test_sig17_a_member_of_content_digest_is_not_the_field():
    signed = dict(rfc9421(post_headers()))
    signed["Signature-Input"] = signed["Signature-Input"].replace('"content-digest"', '"content-digest";key="sha-256"')
    assert refused(list(signed.items())) == "weak"


def no_signature(_key, _data: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("offset", "passes"),
    [(-300, True), (-MAX_AGE + 5, True), (-MAX_AGE - 5, False), (MAX_SKEW - 5, True), (MAX_SKEW + 5, False)],
)
def test_sig06_the_window_of_created(offset, passes):
    signed = rfc9421(post_headers(), params=params(created=NOW + offset))
    if passes:
        receive(signed)
    else:
        assert refused(signed) == "stale"


def test_sig06_a_covered_date_must_be_fresh_as_well():
    for date, passes in ((http_date(-300), True), (http_date(-13 * 3600), False)):
        headers = [*post_headers(), ("Date", date)]
        receive(rfc9421(headers))
        signed = rfc9421(headers, covered=("@method", "@target-uri", "content-digest", "date"))
        if passes:
            receive(signed)
        else:
            assert refused(signed) == "stale"


def test_expires_is_honoured():
    for offset, passes in ((10, True), (-30, True), (-90, False)):
        signed = rfc9421(post_headers(), params=params(more=f";expires={int(NOW) + offset}"))
        if passes:
            receive(signed)
        else:
            assert refused(signed) == "stale"


def hmac_with_public_pem(_key, data: bytes) -> bytes:
    pem = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return hmac.digest(pem, data, "sha256")


def rsa_pss(key, data: bytes) -> bytes:
    return key.sign(data, padding.PSS(padding.MGF1(SHA512()), 64), SHA512())


@pytest.mark.attack("SIG-16")
@pytest.mark.parametrize(
    ("name", "sign"),
    [("hmac-sha256", hmac_with_public_pem), ("rsa-pss-sha512", rsa_pss), ("none", no_signature)],
)
def test_sig16_algorithms_that_are_not_accepted(name, sign):
    more = f';alg="{name}"'
    signed = rfc9421(post_headers(), params=params(more=more), sign=sign)
    assert refused(signed) == "algorithm"
    with pytest.raises(SignatureError, match="algorithm"):
        precheck(parse("POST", "/inbox", signed), body=BODY, now=NOW, hosts={HOST})
    assert refused(rfc9421(post_headers(), sign=sign)) == "mismatch"


def test_sig16_the_name_must_fit_the_key():
    signed = rfc9421(post_headers(), params=params(more=';alg="ed25519"'))
    assert refused(signed) == "algorithm"
    signed = rfc9421(post_headers(), key=ED25519, params=params(more=';alg="rsa-v1_5-sha256"'))
    assert refused(signed, key=ED25519.public_key()) == "algorithm"


def test_another_key_is_a_mismatch():
    assert refused(rfc9421(post_headers(), key=OTHER_RSA)) == "mismatch"
    assert refused(rfc9421(post_headers(), key=ED25519)) == "mismatch"


@pytest.mark.attack("SIG-19")
@pytest.mark.parametrize("covered", [("@method", "@target-uri", "content-digest"),
                                     ("@method", "@authority", "@path", "content-digest")])  # fmt: skip
@pytest.mark.parametrize("host", [HOST, "other.example"])
@pytest.mark.parametrize("forwarded", [None, HOST, "other.example"])
def test_sig19_made_for_another_server(covered, host, forwarded):
    headers = [("Host", host), content_digest()]
    if forwarded:
        headers.append(("X-Forwarded-Host", forwarded))
    assert refused(rfc9421(headers, covered=covered, url="https://other.example/inbox")) == "mismatch"


def test_sig19_a_covered_host_header_must_be_ours_too():
    covered = ("@method", "@target-uri", "content-digest", "host")
    headers = [("Host", "other.example"), content_digest()]
    assert refused(rfc9421(headers, covered=covered)) == "host"
    receive(rfc9421(post_headers(), covered=covered))


def merged(first: Lines, second: Lines) -> Lines:
    """Both signatures in one message, as a proxy adds its own."""
    names = {"Signature-Input", "Signature"}
    return [line for line in first if line[0] not in names] + [
        (name, f"{dict(first)[name]}, {dict(second)[name]}") for name in sorted(names)
    ]


def test_of_several_signatures_the_one_with_a_key_id_counts():
    honest = rfc9421(post_headers())
    proxy = rfc9421(post_headers(), label="proxy", key=OTHER_RSA, params=params(keyid=None))
    receive(merged(proxy, honest))
    receive(merged(honest, proxy))


def test_of_several_with_key_ids_the_first_counts_and_no_other():
    honest = rfc9421(post_headers())
    forged = rfc9421(post_headers(), label="forged", key=OTHER_RSA)
    receive(merged(honest, forged))
    assert refused(merged(forged, honest)) == "mismatch"


def test_a_label_that_is_there_twice_is_refused():
    twice = rfc9421(post_headers())
    assert refused(merged(twice, rfc9421(post_headers(), key=OTHER_RSA))) == "malformed"


@pytest.mark.parametrize("name", ["Signature-Input", "Signature", "Content-Digest", "Host"])
def test_repeated_headers_are_refused(name):
    signed = rfc9421(post_headers())
    assert refused([*signed, (name, dict(signed)[name])]) == "malformed"


GOOD = dict(rfc9421(post_headers()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Signature-Input", ""),
        ("Signature-Input", "sig1"),
        ("Signature-Input", "sig1=5"),
        ("Signature-Input", "sig1=("),
        ("Signature-Input", "sig1=\u00e4"),
        ("Signature-Input", GOOD["Signature-Input"].replace("sig1", "sig2")),
        ("Signature-Input", GOOD["Signature-Input"].replace("created=", "created=1.")),
        ("Signature-Input", GOOD["Signature-Input"].replace(f'"{KEY_ID}"', "token")),
        ("Signature-Input", GOOD["Signature-Input"].replace(KEY_ID, "")),
        ("Signature-Input", GOOD["Signature-Input"].partition(";keyid")[0]),
        ("Signature-Input", GOOD["Signature-Input"] + ";unknown=1"),
        ("Signature-Input", GOOD["Signature-Input"] + ';unknown="a"'),
        ("Signature", ""),
        ("Signature", "sig1=5"),
        ("Signature", "sig1=(:AAAA:)"),
        ("Signature", "sig2=:AAAA:"),
        ("Signature", GOOD["Signature"][:-1]),
    ],
)
def test_headers_that_cannot_be_read(name, value):
    headers = [(key, value if key == name else old) for key, old in GOOD.items()]
    assert refused(headers) == "malformed"


@pytest.mark.parametrize("component", ['"@method";req', '"@status"', '"x-absent"', '"@query-param";name="q"',
                                       '"content-type";key="a"', "5", '"Content-Type"', '"@method"'])  # fmt: skip
def test_components_that_cannot_be_resolved(component):
    value = GOOD["Signature-Input"].replace("(", f"({component} ")
    assert refused([(key, value if key == "Signature-Input" else old) for key, old in GOOD.items()]) == "mismatch"


def test_signature_input_decides_the_dialect():
    signed = rfc9421(post_headers())
    cavage_look = [("Signature", f'keyId="{KEY_ID}",headers="date",signature="AAAA"')]
    headers = [line for line in signed if line[0] != "Signature"] + cavage_look
    assert refused(headers) == "malformed"


def test_precheck_refuses_without_a_key_what_no_key_could_save():
    parsed = parse("POST", "/inbox", rfc9421(post_headers()))
    precheck(parsed, body=BODY, now=NOW, hosts={HOST})
    for changed in ({"body": b"x"}, {"now": NOW + 2 * MAX_AGE}):
        with pytest.raises(SignatureError):
            precheck(parsed, **({"body": BODY, "now": NOW, "hosts": {HOST}} | changed))
