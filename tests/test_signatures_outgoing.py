"""Our own signatures: what is on the wire, that others' code agrees with it, and what httpsig is left to do."""

from __future__ import annotations

import base64
import hmac
import subprocess
import sys
import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from fediverse.signatures import (
    CannotSign,
    Dialect,
    SigningJob,
    SigningKey,
    content_digest,
    digest,
    parse,
    sign_cavage,
    sign_many,
    sign_rfc9421,
    stock,
    verify,
)
from tests.support.signers import BODY, ED25519, HOST, NOW, RSA, http_date, sha256

KEY_ID = "https://social.example/users/alice#main-key"
KEY = SigningKey(KEY_ID, RSA)
ED_KEY = SigningKey(KEY_ID, ED25519)
INBOX = f"https://{HOST}/inbox"


def receive(headers: dict[str, str], key, *, method="POST", target="/inbox", body=BODY) -> None:
    parsed = parse(method, target, list(headers.items()))
    assert parsed.key_id == KEY_ID
    verify(parsed, key, body=body, now=NOW, hosts={HOST})


def parameters(header: str) -> dict[str, str]:
    return {name: value.strip('"') for name, _, value in (part.partition("=") for part in header.split(","))}


def test_digests_are_those_of_the_rfcs():
    body = b'{"hello": "world"}'
    # RFC 9530 appendix D, of the body that RFC 9421 uses.
    assert content_digest(body) == "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
    assert digest(body) == "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="
    assert digest(b"") == f"SHA-256={sha256(b'')}"


def test_a_cavage_post_is_what_every_peer_expects():
    headers = sign_cavage(KEY, "POST", INBOX, date=NOW, body=BODY)
    assert list(headers) == ["Host", "Date", "Digest", "Signature"]
    assert headers["Host"] == HOST
    assert headers["Date"] == http_date()
    assert headers["Digest"] == f"SHA-256={sha256(BODY)}"
    said = parameters(headers["Signature"])
    assert said["keyId"] == KEY_ID
    assert said["algorithm"] == "rsa-sha256"
    assert said["headers"] == "(request-target) host date digest"
    text = f"(request-target): post /inbox\nhost: {HOST}\ndate: {headers['Date']}\ndigest: {headers['Digest']}"
    signature = base64.b64decode(said["signature"])
    RSA.public_key().verify(signature, text.encode(), PKCS1v15(), SHA256())
    receive(headers, RSA.public_key())


def test_a_cavage_get_signs_its_query_and_no_digest():
    headers = sign_cavage(KEY, "GET", f"https://{HOST}/users/a?page=1", date=http_date())
    assert list(headers) == ["Host", "Date", "Signature"]
    assert parameters(headers["Signature"])["headers"] == "(request-target) host date"
    receive(headers, RSA.public_key(), method="GET", target="/users/a?page=1", body=None)


def test_a_finished_digest_is_used_as_it_is():
    assert sign_cavage(KEY, "POST", INBOX, date=NOW, digest=digest(BODY)) == sign_cavage(
        KEY, "POST", INBOX, date=NOW, body=BODY
    )


def test_ed25519_speaks_cavage_under_hs2019():
    headers = sign_cavage(ED_KEY, "POST", INBOX, date=NOW, body=BODY)
    assert parameters(headers["Signature"])["algorithm"] == "hs2019"
    receive(headers, ED25519.public_key())


@pytest.mark.parametrize("key", [KEY, ED_KEY], ids=["rsa", "ed25519"])
def test_an_rfc9421_post_covers_method_target_and_digest(key):
    headers = sign_rfc9421(key, "POST", INBOX, now=NOW, body=BODY)
    assert list(headers) == ["Host", "Content-Digest", "Signature-Input", "Signature"]
    name = "rsa-v1_5-sha256" if key is KEY else "ed25519"
    assert headers["Signature-Input"] == (
        f'sig1=("@method" "@target-uri" "content-digest");created={int(NOW)};keyid="{KEY_ID}";alg="{name}"'
    )
    base = (
        f'"@method": POST\n"@target-uri": {INBOX}\n"content-digest": {headers["Content-Digest"]}\n'
        f'"@signature-params": {headers["Signature-Input"].removeprefix("sig1=")}'
    ).encode()
    signature = base64.b64decode(headers["Signature"].removeprefix("sig1=:").removesuffix(":"))
    if key is KEY:
        RSA.public_key().verify(signature, base, PKCS1v15(), SHA256())
    else:
        ED25519.public_key().verify(signature, base)
    receive(headers, key.private_key.public_key())


def test_an_rfc9421_get_covers_no_digest():
    headers = sign_rfc9421(KEY, "GET", f"https://{HOST}/users/a?page=1", now=NOW)
    assert '("@method" "@target-uri");' in headers["Signature-Input"]
    receive(headers, RSA.public_key(), method="GET", target="/users/a?page=1", body=None)


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://Peer.Example/inbox", "peer.example", "/inbox"),
        ("https://peer.example", "peer.example", "/"),
        ("https://peer.example:443/inbox", "peer.example", "/inbox"),
        ("http://peer.example:80/inbox", "peer.example", "/inbox"),
        ("http://127.0.0.1:18299/inbox", "127.0.0.1:18299", "/inbox"),
        ("http://[::1]:8080/inbox", "[::1]:8080", "/inbox"),
        ("https://user:pw@peer.example/inbox", "peer.example", "/inbox"),
        ("https://peer.example/wp-json/in?author=1#x", "peer.example", "/wp-json/in?author=1"),
        ("https://peer.example/inbox?", "peer.example", "/inbox?"),
        ("https://peer.example/%C3%A4;v=1", "peer.example", "/%C3%A4;v=1"),
    ],
)
def test_what_is_signed_is_what_a_client_sends(url, host, target):
    headers = sign_cavage(KEY, "GET", url, date=NOW)
    assert headers["Host"] == host
    scheme = url.partition(":")[0]
    for made in (headers, sign_rfc9421(KEY, "GET", url, now=NOW)):
        parsed = parse("GET", target, list(made.items()))
        verify(parsed, RSA.public_key(), body=None, now=NOW, hosts={host}, schemes={scheme})


@pytest.mark.parametrize(
    "url",
    ["", "inbox", "ftp://peer.example/", "https:///inbox", "https://peer.example:99999/", "https://[::1/",
     "https://peer.example/a b", "https://peer.example/a\r\nX: y", "https://p\u00e4er.example/"],
)  # fmt: skip
def test_addresses_that_cannot_be_signed(url):
    with pytest.raises(CannotSign):
        sign_cavage(KEY, "POST", url, date=NOW, body=BODY)
    with pytest.raises(CannotSign):
        sign_rfc9421(KEY, "POST", url, now=NOW, body=BODY)


@pytest.mark.parametrize(
    "key_id", ["", 'https://a.example/"', "https://a.example/\\", "a b", "a\n", "\u00e4", "x" * 3000]
)
def test_key_ids_that_cannot_be_signed(key_id):
    with pytest.raises(CannotSign):
        SigningKey(key_id, RSA)


def test_a_key_id_with_a_percent_sign_stays_as_it_is():
    key_id = "https://social.example/users/%C3%A4%s#main-key"
    headers = sign_cavage(SigningKey(key_id, RSA), "POST", INBOX, date=NOW, body=BODY)
    parsed = parse("POST", "/inbox", list(headers.items()))
    assert parsed.key_id == key_id
    verify(parsed, RSA.public_key(), body=BODY, now=NOW, hosts={HOST})


def test_many_are_signed_each_for_its_own_host_and_a_bad_one_stops_nobody():
    jobs = [
        SigningJob(KEY, "POST", "https://a.example/inbox", BODY),
        SigningJob(KEY, "POST", "https://b\u00e4d.example/inbox", BODY),
        SigningJob(ED_KEY, "POST", "https://b.example/inbox", b"other", Dialect.RFC9421),
        SigningJob(KEY, "GET", "https://c.example/users/c"),
        SigningJob(KEY, "POST", "https://d.example/inbox", BODY),
    ]
    a, bad, b, c, d = sign_many(jobs, now=NOW)
    assert isinstance(bad, CannotSign)
    assert a == sign_cavage(KEY, "POST", "https://a.example/inbox", date=NOW, body=BODY)
    assert b == sign_rfc9421(ED_KEY, "POST", "https://b.example/inbox", now=NOW, body=b"other")
    assert c == sign_cavage(KEY, "GET", "https://c.example/users/c", date=NOW)
    assert d == sign_cavage(KEY, "POST", "https://d.example/inbox", date=NOW, body=BODY)


# httpsig: only its strings are used.


def test_the_overrides_stand_between_httpsigs_classes():
    def names(cls: type) -> list[str]:
        return [base.__name__ for base in cls.__mro__[:-1]]

    assert names(stock.RequestSigner) == ["RequestSigner", "HeaderSigner", "_Signing", "_KeyInit", "Signer"]
    assert names(stock.RequestVerifier) == [
        "RequestVerifier",
        "HeaderVerifier",
        "_Verifying",
        "_KeyInit",
        "Verifier",
        "Signer",
    ]


def test_our_signature_is_byte_for_byte_stock_httpsigs():
    from httpsig.sign import HeaderSigner  # noqa: PLC0415  it imports only after our stand-in for pkg_resources

    pem = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    covered = ["(request-target)", "host", "date", "digest"]
    original = HeaderSigner(KEY_ID, pem, algorithm="rsa-sha256", headers=covered, sign_header="signature")
    ours = sign_cavage(KEY, "POST", INBOX, date=NOW, body=BODY)
    unsigned = {name: value for name, value in ours.items() if name != "Signature"}
    assert original.sign(unsigned, method="POST", path="/inbox")["signature"] == ours["Signature"]


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "rsa-sha1", "rsa-sha512", "none", "ed25519-sha512", ""])
def test_no_algorithm_but_ours_can_be_constructed(algorithm):
    headers = {"signature": f'keyId="x",algorithm="{algorithm}",headers="host",signature="AAAA"', "host": "x"}
    with pytest.raises(ValueError, match="not one of ours"):
        stock.RequestVerifier(headers, RSA.public_key(), method="GET", path="/")


def test_stock_httpsig_believes_the_attacker_and_ours_does_not():
    from httpsig.verify import HeaderVerifier  # noqa: PLC0415  it imports only after our stand-in for pkg_resources

    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = base64.b64encode(hmac.digest(pem, b"date: now", "sha256")).decode()
    headers = {"date": "now", "signature": f'keyId="x",algorithm="hmac-sha256",headers="date",signature="{mac}"'}
    assert HeaderVerifier(headers, pem, sign_header="signature").verify()
    with pytest.raises(ValueError, match="not one of ours"):
        stock.RequestVerifier(headers, RSA.public_key(), method="GET", path="/")


@pytest.mark.parametrize("flags", [[], ["-O"]])
def test_httpsig_is_imported_without_setuptools_and_leaves_no_trace(flags):
    program = """
        import sys

        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in {"pkg_resources", "setuptools"}:
                    raise ModuleNotFoundError(name)

        sys.meta_path.insert(0, Absent())
        import fediverse.signatures, httpsig
        print(httpsig.__version__, "pkg_resources" in sys.modules, "aiohttp" in sys.modules)
    """
    command = [sys.executable, *flags, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.3.0", "False", "False"]
