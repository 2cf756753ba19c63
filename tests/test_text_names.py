from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse import errors
from fediverse.text import display_host, fold_host, fold_tag, split_handle


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tag", "tag"),
        ("ＴＡＧ", "tag"),
        ("STRASSE", "straße"),
        ("ﬁre", "FIRE"),
        ("cafe\u0301", "CAFÉ"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ｶﾞ", "ガ"),
    ],
)
def test_tags_that_are_one(one, other):
    assert fold_tag(one) == fold_tag(other)


@pytest.mark.parametrize(("one", "other"), [("tag", "tags"), ("cafe", "café"), ("a", "а")])
def test_tags_that_are_two(one, other):
    assert fold_tag(one) != fold_tag(other)


@given(st.text())
def test_folding_a_tag_twice_changes_nothing(name):
    assert fold_tag(fold_tag(name)) == fold_tag(name)
    assert fold_tag(name.upper().lower()) == fold_tag(name.upper())


@pytest.mark.parametrize(
    ("host", "folded"),
    [
        ("peerb.test", "peerb.test"),
        ("PEERB.test", "peerb.test"),
        ("peerb.test.", "peerb.test"),
        ("peerb.test:443", "peerb.test"),
        ("PeerB.test.:443", "peerb.test"),
        ("peerb.test:80", "peerb.test"),
        ("peerb.test:8001", "peerb.test:8001"),
        ("peerb.test:08001", "peerb.test:8001"),
        ("例え.jp", "xn--r8jz45g.jp"),
        ("例え。ＪＰ", "xn--r8jz45g.jp"),
        ("XN--R8JZ45G.jp", "xn--r8jz45g.jp"),
        ("MÜNCHEN.example:8443", "xn--mnchen-3ya.example:8443"),
        ("ｐｅｅｒｂ．test", "peerb.test"),
        ("peerb．test：443", "peerb.test"),
        ("straße.example", "xn--strae-oqa.example"),
        ("127.0.0.1:18299", "127.0.0.1:18299"),
        ("１２７.0.0.1", "127.0.0.1"),
        ("[0:0::1]:8000", "[::1]:8000"),
        ("localhost", "localhost"),
        ("under_score.example", "under_score.example"),
        (" peerb.test ", "peerb.test"),
    ],
)
def test_hosts_that_are_one(host, folded):
    assert fold_host(host) == folded
    assert fold_host(folded) == folded


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "-a.example",
        "a-.example",
        "a b.example",
        "a/b",
        "user@a.example",
        "a.example:",
        "a.example:0",
        "a.example:65536",
        "a.example:x",
        "a.example:999999",
        "::1",
        "[::1",
        "[fe80::1%25eth0]",
        "[]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "256.1.1.1",
        "a.example\n.b",
        "a\x00b",
        "é" * 300,
        "x" * 254,
        "x" * 64 + ".example",
        "\u202ea.example",
        "a\u200bb?.example",
        "例え,.jp",
        "\ud800.example",
        "*.example",
        "a%2eb",
    ],
)
def test_what_is_not_a_host_is_refused_in_a_sentence(host):
    with pytest.raises(errors.BadRequest, match="is not the name of a server"):
        fold_host(host)


@given(st.text(max_size=60))
def test_folding_a_host_is_stable_or_refused(host):
    try:
        folded = fold_host(host)
    except errors.BadRequest:
        return
    assert folded.isascii()
    assert fold_host(folded) == folded
    assert fold_host(display_host(folded)) == folded


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("example.org", "example.org"),
        ("xn--mnchen-3ya.example:8443", "münchen.example:8443"),
        ("xn--r8jz45g.jp", "例え.jp"),
        ("xn--80adxhks.xn--p1ai", "москва.рф"),
        ("xn--9dbq2a", "קום"),
        ("xn--mgbh0fb.example", "مثال.example"),
        ("xn--80ak6aa92e.com", "xn--80ak6aa92e.com"),  # all Cyrillic, all like Latin
        ("xn--not-a-label-.example", "xn--not-a-label-.example"),
        ("127.0.0.1:8001", "127.0.0.1:8001"),
        ("[::1]", "[::1]"),
    ],
)
def test_hosts_are_shown_in_unicode_only_when_that_misleads_nobody(host, shown):
    assert display_host(host) == shown


@pytest.mark.parametrize(
    "label", ["аpple", "gооgle", "paypaӏ", "日本abc", "αpple", "ρορ", "dotlеss", "g\u0131thub", "ѕсоре"]
)
def test_mixed_and_confusable_labels_stay_punycode(label):
    folded = fold_host(label + ".example")
    assert folded.startswith("xn--")
    assert display_host(folded) == folded


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        ("@a@b.example", ("a", "b.example")),
        ("a@B.example", ("a", "b.example")),
        ("acct:a@b.example", ("a", "b.example")),
        ("ACCT:a@b.example:8001", ("a", "b.example:8001")),
        ("a", ("a", None)),
        ("@Alice", ("Alice", None)),
        (" @a@例え.jp ", ("a", "xn--r8jz45g.jp")),
        ("al.ice-x@b.example", ("al.ice-x", "b.example")),
        ("@probe@127.0.0.1:18299", ("probe", "127.0.0.1:18299")),
    ],
)
def test_splits_handles(handle, expected):
    assert split_handle(handle) == expected


@pytest.mark.parametrize(
    "handle", ["", "@", "@@a", "a@", "@a@", "a b@c.example", "é@b.example", "a@b@c", "-a", "a/b", "acct:"]
)
def test_what_is_not_a_handle_is_refused(handle):
    with pytest.raises(errors.BadRequest):
        split_handle(handle)
