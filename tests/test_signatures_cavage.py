"""draft-cavage signatures coming in: what passes, and for each check the request that only this check stops."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA1, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fediverse import errors
from fediverse.signatures import MAX_AGE, MAX_SKEW, Dialect, SignatureError, parse, precheck, verify
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
    cavage,
    http_date,
    inbox_headers,
    raw_signature,
    sha256,
)

PUBLIC = RSA.public_key()
PUBLIC_PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def receive(headers: Lines, *, method="POST", target="/inbox", body=BODY, key=PUBLIC, now=NOW, hosts=(HOST,)):
    verify(parse(method, target, headers), key, body=body, now=now, hosts=hosts)


def refused(headers: Lines, **kwargs) -> str:
    with pytest.raises(SignatureError) as caught:
        receive(headers, **kwargs)
    assert caught.value.status == 401
    assert caught.value.message.endswith(".")
    return caught.value.reason


def replaced(headers: Lines, name: str, value: str) -> Lines:
    return [(key, value if key == name else old) for key, old in headers]


def test_an_honest_post_passes_and_tells_who_claims_to_have_signed():
    headers = cavage(inbox_headers())
    receive(headers)
    parsed = parse("POST", "/inbox", headers)
    assert parsed.dialect is Dialect.CAVAGE
    assert parsed.key_id == KEY_ID
    assert parsed.covered == ("(request-target)", "host", "date", "digest")
    assert issubclass(SignatureError, errors.Unauthorized)


# What the big implementations send.


def test_mastodon_signs_accept_and_user_agent_too():
    headers = [*inbox_headers(), ("User-Agent", "Mastodon/4.5"), ("Accept-Encoding", "gzip")]
    receive(cavage(headers, covered="(request-target) user-agent host date accept-encoding digest content-type"))


def test_mastodon_signs_gets():
    headers = [*inbox_headers(None), ("Accept", "application/activity+json")]
    signed = cavage(headers, method="GET", target="/users/a", covered="(request-target) host date accept")
    receive(signed, method="GET", target="/users/a", body=None)
    receive(signed, method="GET", target="/users/a", body=b"")


@pytest.mark.parametrize("quote_times", [True, False])
def test_lemmy_signs_created_and_expires_with_ten_seconds_to_live(quote_times):
    signed = cavage(
        [("Host", HOST), ("Digest", f"SHA-256={sha256(BODY)}")],
        covered="(request-target) (created) (expires) digest host",
        algorithm="hs2019",
        created=int(NOW),
        expires=int(NOW) + 10,
        quote_times=quote_times,
    )
    receive(signed, now=NOW + 40)
    assert refused(signed, now=NOW + 90) == "stale"


def test_gotosocial_names_hs2019_for_rsa_sha256():
    receive(cavage(inbox_headers(), algorithm="hs2019"))


def test_hs2019_may_mean_sha512_and_rsa_sha256_may_not():
    def sha512(key, data):
        return raw_signature(key, data, SHA512())

    receive(cavage(inbox_headers(), algorithm="hs2019", sign=sha512))
    assert refused(cavage(inbox_headers(), algorithm="rsa-sha256", sign=sha512)) == "mismatch"


@pytest.mark.parametrize("algorithm", ["hs2019", None])
def test_the_algorithm_may_be_left_to_the_key(algorithm):
    receive(cavage(inbox_headers(), algorithm=algorithm))
    receive(cavage(inbox_headers(), algorithm=algorithm, key=ED25519), key=ED25519.public_key())


def test_digest_names_are_read_in_any_case_and_weak_ones_passed_over():
    headers = inbox_headers()
    strong = b64(hashlib.sha512(BODY).digest())
    for value in (f"sha-256={sha256(BODY)}", f"MD5=x,Sha-256={sha256(BODY)}, SHA-512={strong}", f"sha-512={strong}"):
        receive(cavage(replaced(headers, "Digest", value)))


def test_a_get_signed_without_its_query_passes_and_a_post_does_not():
    target = "/users/a/outbox?page=1"
    for signed_target in (target, "/users/a/outbox"):
        signed = cavage(inbox_headers(None), method="GET", target=signed_target, covered="(request-target) host date")
        receive(signed, method="GET", target=target, body=None)
    signed = cavage(inbox_headers(), target="/inbox")
    assert refused(signed, target="/inbox?x=1") == "mismatch"


def test_our_host_is_known_with_port_and_in_any_case():
    receive(cavage(inbox_headers(host="127.0.0.1:18299")), hosts={"127.0.0.1:18299"})
    receive(cavage(inbox_headers(host="Social.Example:443")))
    assert refused(cavage(inbox_headers(host="social.example:80"))) == "host"
    assert refused(cavage(inbox_headers(host="social.example:8443"))) == "host"


# What is refused, each with a signature that would otherwise hold.


def test_sig01_no_signature():
    assert refused(inbox_headers()) == "missing"
    assert refused([*inbox_headers(), ("Authorization", "Signature keyId=x")]) == "missing"


def test_sig02_body_changed_after_signing():
    assert refused(cavage(inbox_headers()), body=BODY + b" ") == "digest"


def test_sig02_a_second_digest_that_is_wrong():
    headers = inbox_headers()
    wrong = b64(hashlib.sha512(b"other").digest())
    value = f"SHA-256={sha256(BODY)},SHA-512={wrong}"
    assert refused(cavage(replaced(headers, "Digest", value))) == "digest"
    value = f"SHA-256={sha256(b'other')},SHA-256={sha256(BODY)}"
    assert refused(cavage(replaced(headers, "Digest", value))) == "digest"
    value = f"SHA-256={sha256(BODY)},sha-256={sha256(BODY)}"
    assert refused(cavage(replaced(headers, "Digest", value))) == "digest"


@pytest.mark.parametrize("value", ["", "MD5=abc", "SHA-256=", "SHA-256=***", "sha-256"])
def test_sig02_a_digest_that_vouches_for_nothing(value):
    assert refused(cavage(replaced(inbox_headers(), "Digest", value))) == "digest"


def test_sig02_a_post_without_a_body_still_signs_its_digest():
    receive(cavage(inbox_headers(b"")), body=b"")
    headers = [("Host", HOST), ("Date", http_date())]
    assert refused(cavage(headers, covered="(request-target) host date"), body=None) == "weak"


def test_sig02_a_get_with_a_body_needs_a_digest():
    signed = cavage(inbox_headers(None), method="GET", covered="(request-target) host date")
    assert refused(signed, method="GET", body=b"x") == "weak"


@pytest.mark.attack("SIG-03")
def test_sig03_digest_right_and_unsigned():
    assert refused(cavage(inbox_headers(), covered="(request-target) host date")) == "weak"


@pytest.mark.attack("SIG-05")
@pytest.mark.parametrize("covered", ["date", "(created)", "host date digest", "(request-target) host digest",
                                     "(request-target) date digest"])  # fmt: skip
def test_sig05_weak_coverage(covered):
    assert refused(cavage(inbox_headers(), covered=covered, algorithm="hs2019", created=int(NOW))) == "weak"


@pytest.mark.attack("SIG-05")
def test_sig05_nothing_covered_or_nothing_said():
    assert refused(cavage(inbox_headers(), covered="")) == "weak"
    assert refused(cavage(inbox_headers(), covered="date", name_covered=False)) == "weak"


def test_sig05_a_signed_get_reused_as_post_or_elsewhere():
    covered = "(request-target) host date digest"
    signed = cavage(inbox_headers(), method="GET", covered=covered)
    assert refused(signed, method="POST") == "mismatch"
    assert refused(cavage(inbox_headers()), target="/users/alice/inbox") == "mismatch"


@pytest.mark.parametrize(
    ("offset", "passes"),
    [(-300, True), (-MAX_AGE + 5, True), (-MAX_AGE - 5, False), (-13 * 3600, False), (MAX_SKEW - 5, True),
     (MAX_SKEW + 5, False)],
)  # fmt: skip
def test_sig06_the_window_of_date_and_created(offset, passes):
    dated = cavage(inbox_headers(date=http_date(offset)))
    created = cavage(
        inbox_headers(),
        covered="(request-target) host (created) digest",
        algorithm="hs2019",
        created=int(NOW + offset),
    )
    for signed in (dated, created):
        if passes:
            receive(signed)
        else:
            assert refused(signed) == "stale"


def test_sig06_a_fresh_date_does_not_excuse_a_stale_created():
    signed = cavage(
        inbox_headers(),
        covered="(request-target) host date (created) digest",
        algorithm="hs2019",
        created=int(NOW) - 13 * 3600,
    )
    assert refused(signed) == "stale"


def test_sig06_an_unsigned_created_is_not_a_date():
    signed = cavage(inbox_headers(), covered="(request-target) host digest", algorithm="hs2019", created=int(NOW))
    assert refused(signed) == "weak"


def test_sig06_a_covered_date_that_is_absent():
    signed = cavage(inbox_headers())
    assert refused([line for line in signed if line[0] != "Date"]) == "missing"
    signed = cavage(inbox_headers(), covered="(request-target) host (created) digest", algorithm="hs2019")
    assert refused(signed) == "missing"


@pytest.mark.parametrize("date", ["yesterday", "1790000000", "Mon, 99 Foo 2026 00:00:00 GMT", "",
                                  "Mon, 01 Jan 99999999999 00:00:00 GMT"])  # fmt: skip
def test_sig06_a_date_that_is_none(date):
    assert refused(cavage(inbox_headers(date=date))) == "malformed"


def test_expires_counts_even_where_it_is_not_covered():
    assert refused(cavage(inbox_headers(), algorithm="hs2019", expires=int(NOW) - 3600)) == "stale"


def test_signed_times_need_hs2019():
    covered = "(request-target) host (created) digest"
    assert refused(cavage(inbox_headers(), covered=covered, created=int(NOW))) == "malformed"


def hmac_with_public_pem(_key, data: bytes) -> bytes:
    return hmac.digest(PUBLIC_PEM, data, "sha256")


@pytest.mark.attack("SIG-16")
@pytest.mark.parametrize(
    ("algorithm", "sign"),
    [
        ("hmac-sha256", hmac_with_public_pem),
        ("none", lambda _key, _data: b""),
        ("rsa-sha1", lambda key, data: raw_signature(key, data, SHA1())),
        ("rsa-sha512", lambda key, data: raw_signature(key, data, SHA512())),
        ("RSA-SHA256", raw_signature),
        ("ed25519-sha512", raw_signature),
    ],
)
def test_sig16_algorithms_that_are_not_accepted(algorithm, sign):
    assert refused(cavage(inbox_headers(), algorithm=algorithm, sign=sign)) == "algorithm"


@pytest.mark.attack("SIG-16")
@pytest.mark.parametrize("algorithm", ["hs2019", "rsa-sha256", None])
@pytest.mark.parametrize(
    "sign",
    [hmac_with_public_pem, lambda key, data: raw_signature(key, data, SHA1()), lambda _key, _data: b"",
     lambda _key, _data: b"\0" * 256],
)  # fmt: skip
def test_sig16_the_key_decides_and_not_the_name(algorithm, sign):
    assert refused(cavage(inbox_headers(), algorithm=algorithm, sign=sign)) == "mismatch"


def test_sig16_rsa_sha256_with_an_ed25519_key():
    signed = cavage(inbox_headers(), algorithm="rsa-sha256", key=ED25519)
    assert refused(signed, key=ED25519.public_key()) == "algorithm"


def test_another_key_is_a_mismatch():
    assert refused(cavage(inbox_headers(), key=OTHER_RSA)) == "mismatch"
    assert refused(cavage(inbox_headers(), algorithm="hs2019", key=ED25519)) == "mismatch"


@pytest.mark.attack("SIG-19")
def test_sig19_made_for_another_server():
    signed = cavage(inbox_headers(host="other.example"))
    assert refused(signed) == "host"
    assert refused([*signed, ("X-Forwarded-Host", HOST), ("Forwarded", f"host={HOST}")]) == "host"
    assert refused(replaced(signed, "Host", HOST)) == "mismatch"
    assert refused([*replaced(signed, "Host", HOST), ("X-Forwarded-Host", "other.example")]) == "mismatch"


def test_a_host_that_is_not_ours_is_not_ours_with_our_name_in_it():
    for host in (f"{HOST}.evil.example", f"evil.example:{HOST}", "", f"{HOST}:443:443"):
        assert refused(cavage(inbox_headers(host=host))) == "host"


@pytest.mark.parametrize("name", ["Signature", "Host", "Date", "Digest", "digest"])
@pytest.mark.parametrize("first", [True, False])
def test_repeated_headers_are_refused_in_either_order(name, first):
    signed = cavage(inbox_headers())
    value = dict(signed).get(name, f"SHA-256={sha256(b'other')}")
    assert refused([(name, value), *signed] if first else [*signed, (name, value)]) == "malformed"


def test_other_repeated_headers_are_joined_as_the_draft_says():
    headers = [*inbox_headers(), ("Accept", "text/html, text/plain")]
    signed = cavage(headers, covered="(request-target) host date digest accept")
    split = [line for line in signed if line[0] != "Accept"]
    receive([*split, ("Accept", "text/html"), ("accept", "text/plain")])
    assert refused([*split, ("Accept", "text/plain"), ("accept", "text/html")]) == "mismatch"


def test_a_header_named_like_a_pseudo_header_is_refused():
    signed = cavage([*inbox_headers(), ("(created)", "1")])
    assert refused(signed) == "malformed"


def test_a_newline_in_a_covered_header_cannot_move_lines():
    headers = [("Host", HOST), ("Date", http_date()), ("Digest", f"SHA-256={sha256(BODY)}")]
    covered = "(request-target) host date digest x-note"
    signed = cavage([*headers, ("X-Note", "a\ninjected: b")], covered=covered)
    assert refused(signed) == "malformed"


@pytest.mark.parametrize("target", ["", "inbox", "https://social.example/inbox", "/in\nbox", "/in\u00e4box", "*"])
def test_targets_that_cannot_be_signed(target):
    assert refused(cavage(inbox_headers()), target=target) == "malformed"


SIGNED = dict(cavage(inbox_headers()))["Signature"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "garbage",
        SIGNED + ",",
        SIGNED + ',keyId="https://victim.example/key"',
        SIGNED + ',KEYID="https://victim.example/key"',
        'keyId="https://victim.example/key",' + SIGNED,
        SIGNED.replace('keyId="', 'keyId="\\"'),
        SIGNED.replace('signature="', 'signature="***'),
        SIGNED.replace('signature="', 'signature="====',),
        SIGNED[:-1],
        SIGNED.replace('keyId="', 'keyId="a b'),
        SIGNED.replace(f'keyId="{KEY_ID}",', ""),
        SIGNED.replace(KEY_ID, ""),
        SIGNED.replace(KEY_ID, "x" * 3000),
        SIGNED.replace("host date", "Host date"),
        SIGNED.replace("host date", "host  date"),
        SIGNED.replace("host date", "host host date"),
        SIGNED + ",created=soon",
        SIGNED + ",expires=-5",
        SIGNED + ",created=" + "9" * 40,
        SIGNED.partition(",signature=")[0],
    ],
)  # fmt: skip
def test_signature_headers_that_say_two_things_or_nothing(value):
    assert refused(replaced(cavage(inbox_headers()), "Signature", value)) == "malformed"


def test_precheck_refuses_without_a_key_what_no_key_could_save():
    parsed = parse("POST", "/inbox", cavage(inbox_headers()))
    precheck(parsed, body=BODY, now=NOW, hosts={HOST})
    for changed in ({"body": b"x"}, {"now": NOW + 2 * MAX_AGE}, {"hosts": {"other.example"}}):
        with pytest.raises(SignatureError):
            precheck(parsed, **({"body": BODY, "now": NOW, "hosts": {HOST}} | changed))
