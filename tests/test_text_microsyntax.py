from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse.text import Hashtag, Link, Mention, entities, render, safe_url

WIKI = "https://en.wikipedia.org/wiki/A_(b)"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def found(text):
    return [(type(e).__name__, text[e.start : e.end]) for e in entities(text)]


def links(text):
    return [e.url for e in entities(text) if isinstance(e, Link)]


def mentions(text):
    return [(e.username, e.host) for e in entities(text) if isinstance(e, Mention)]


def hashtags(text):
    return [e.name for e in entities(text) if isinstance(e, Hashtag)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com", ["https://example.com"]),
        ("see http://example.com/a?b=c#d now", ["http://example.com/a?b=c#d"]),
        ("HTTPS://EXAMPLE.com/A", ["HTTPS://EXAMPLE.com/A"]),
        ("https://example.com.", ["https://example.com"]),
        ("https://example.com/a.", ["https://example.com/a"]),
        ("https://example.com/a, b", ["https://example.com/a"]),
        ("https://example.com/a?!", ["https://example.com/a"]),
        ("https://example.com...", ["https://example.com"]),
        ("https://example.com/…", ["https://example.com/"]),
        ("\"https://example.com/a\" 'https://example.com/b'", ["https://example.com/a", "https://example.com/b"]),
        ("“https://example.com/a”", ["https://example.com/a"]),
        ("<https://example.com/a>", ["https://example.com/a"]),
        (f"(see {WIKI})", [WIKI]),
        (f"(see {WIKI}), or", [WIKI]),
        (WIKI, [WIKI]),
        ("(https://example.com)", ["https://example.com"]),
        ("((https://example.com/a))", ["https://example.com/a"]),
        ("https://example.com/(", ["https://example.com/"]),
        ("https://example.com/a(.)b)", ["https://example.com/a(.)b"]),
        ("https://example.com/?a[]=1", ["https://example.com/?a[]=1"]),
        ("[t](https://example.com/b)", ["https://example.com/b"]),
        ("*https://example.com/b*", ["https://example.com/b"]),
        ("https://example.com/a_", ["https://example.com/a_"]),
        ("https://example.com:8443/x", ["https://example.com:8443/x"]),
        ("https://example.com:8443", ["https://example.com:8443"]),
        ("https://example.com: yes", ["https://example.com"]),
        ("https://example.com:444444/", []),
        ("http://127.0.0.1:8001/users/alice!", ["http://127.0.0.1:8001/users/alice"]),
        ("http://[::1]:8000/x", ["http://[::1]:8000/x"]),
        ("http://localhost", ["http://localhost"]),
        ("http://intranet/wiki http://intranet:80", ["http://intranet/wiki", "http://intranet:80"]),
        ("http://foo http://1.2.3", []),
        ("https://user:pw@example.com/", []),
        ("https://user@example.com/", []),
        ("https://example.com\\@evil.example/", []),
        ("https://münchen.example/straße", ["https://münchen.example/straße"]),
        ("https://例え.jp/", ["https://例え.jp/"]),
        ("https://xn--r8jz45g.jp/", ["https://xn--r8jz45g.jp/"]),
        ("https://пример.рф/путь", ["https://пример.рф/путь"]),
        ("見てhttps://example.com/aを見て", ["https://example.com/a"]),
        ("https://example.com日本", ["https://example.com"]),
        ("https://example.com。", ["https://example.com"]),
        ("（https://example.com/a）", ["https://example.com/a"]),
        ("링크https://example.com/에서", ["https://example.com/"]),
        ("😀https://example.com/😀", ["https://example.com/"]),
        (FAMILY + "https://example.com" + FAMILY, ["https://example.com"]),
        ("שלום https://example.com/a שלום", ["https://example.com/a"]),
        ("\u202bhttps://example.com/a\u202c", ["https://example.com/a"]),
        ("https://ar.wikipedia.org/wiki/عربي", ["https://ar.wikipedia.org/wiki/عربي"]),
        ("xhttps://example.com @https://example.com", []),
        ("https:// https:/// http://. http://- http://..", []),
        ("javascript://example.com/%0aalert(1)", []),
        ("https://https://example.com/", ["https://example.com/"]),
        ("https://a.example/https://b.example/", ["https://a.example/https://b.example/"]),
        ("https://example.com/a\nhttps://example.com/b", ["https://example.com/a", "https://example.com/b"]),
        ("http\u017f://example.com", []),
        ("www.example.com example.com ftp://example.com/", []),
    ],
)
def test_links(text, expected):
    assert links(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@bob", [("bob", None)]),
        ("hi @Bob_1, and @carol.", [("Bob_1", None), ("carol", None)]),
        (".@bob says", [("bob", None)]),
        ("(@bob) “@carol” *@dave*", [("bob", None), ("carol", None), ("dave", None)]),
        ("@alice@example.org", [("alice", "example.org")]),
        ("@alice@example.org.", [("alice", "example.org")]),
        ("@alice@Example.ORG: hi", [("alice", "example.org")]),
        ("@alice@example.org:8001", [("alice", "example.org:8001")]),
        ("@alice@example.org:8001: hi", [("alice", "example.org:8001")]),
        ("@alice@example.org:443", [("alice", "example.org")]),
        ("@probe@127.0.0.1:18299", [("probe", "127.0.0.1:18299")]),
        ("@probe@localhost:8002!", [("probe", "localhost:8002")]),
        ("@al.ice-x@example.org", [("al.ice-x", "example.org")]),
        ("@al.ice", [("al", None)]),
        ("@blog.example.org@blog.example.org", [("blog.example.org", "blog.example.org")]),
        ("@bob@例え.jp", [("bob", "xn--r8jz45g.jp")]),
        ("@bob@münchen.example hi", [("bob", "xn--mnchen-3ya.example")]),
        ("@bob@example.orgさん", [("bob", "example.org")]),
        ("@bobさん", [("bob", None)]),
        ("日本語@bob", [("bob", None)]),
        ("😀@bob😀", [("bob", None)]),
        ("❤️@bob", [("bob", None)]),
        ("שלום @bob שלום", [("bob", None)]),
        ("\u200f@bob\u200f", [("bob", None)]),
        ("a@b.com mail.me@example.org", []),
        ("é@example.org привет@example.org", []),
        ("@bobé", []),
        ("@@bob @bob@ @bob@@example.org", []),
        ("@bob@example.org@evil.example", []),
        ("@ @. @- @-bob", []),
        ("https://example.com/@bob @carol", [("carol", None)]),
        ("example.com/@bob", []),
        ("https://user:pw@example.org/", []),
        ("@bob@0x7f.1", []),
        ("@bob@a..b", []),
        ("@alice\n@bob", [("alice", None), ("bob", None)]),
        ("@alice/@bob", [("alice", None)]),
        ("@alice@example.org/@bob", [("alice", "example.org")]),
    ],
)
def test_mentions(text, expected):
    assert mentions(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#tag", ["tag"]),
        ("a #tag, and #Other.", ["tag", "Other"]),
        ("(#tag) “#tag”", ["tag", "tag"]),
        ("＃tag", ["tag"]),
        ("#日本語 ＃タグー", ["日本語", "タグー"]),
        ("#straße #café", ["straße", "café"]),
        ("#cafe\u0301", ["cafe\u0301"]),
        ("#नमस्ते", ["नमस्ते"]),
        ("#می\u200cخواهم", ["می\u200cخواهم"]),
        ("#tag\u200c", ["tag"]),
        ("#col·lecció", ["col·lecció"]),
        ("#שלום", ["שלום"]),
        ("#a1 #1a #2024review", ["a1", "1a", "2024review"]),
        ("#1 #2024 #_ #__1", []),
        ("#_tag_", ["_tag_"]),
        ("#️⃣ #\u20e3", []),
        ("❤️#love❤️", ["love"]),
        ("😀#tag😀", ["tag"]),
        ("foo#bar é#bar 日本語#tag", []),
        ("##tag #tag#other", []),
        ("&#tag; /#tag", []),
        ("#C++ #don't", ["C", "don"]),
        ("#tag.rest #tag-rest", ["tag", "tag"]),
        ("https://example.com/#tag https://example.com/a#b #c", ["c"]),
        ("https://example.com#tag", []),
        ("#", []),
        ("#tag://x", []),
    ],
)
def test_hashtags(text, expected):
    assert hashtags(text) == expected


def test_places_are_those_of_the_text_with_its_sign():
    text = "hi @bob@x.org, ＃Tag (https://x.org/a)"
    assert found(text) == [("Mention", "@bob@x.org"), ("Hashtag", "＃Tag"), ("Link", "https://x.org/a")]
    assert entities(text)[2] == Link(21, 36, "https://x.org/a")


PIECES = st.sampled_from(
    [
        "@",
        "#",
        "＃",
        "https://",
        "http://",
        "bob",
        "example.org",
        ":8001",
        ".",
        "-",
        "/",
        "(",
        ")",
        "[",
        "]",
        "é",
        "日本",
        "😀",
        "\ufe0f",
        "\u200d",
        "\u0301",
        " ",
        "\n",
        "_",
        "1",
        "@bob@example.org",
        "#tag",
        "?",
        "&",
        "\u202e",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES).map("".join))


@given(TEXTS)
def test_entities_are_in_order_and_apart_and_well_formed(text):
    end = 0
    for entity in entities(text):
        assert end <= entity.start < entity.end <= len(text)
        end = entity.end
        shown = text[entity.start : entity.end]
        assert not any(c.isspace() for c in shown)
        match entity:
            case Link():
                assert entity.url == shown
                assert safe_url(shown) == shown
            case Mention():
                assert shown.startswith("@" + entity.username)
                assert (entity.host is None) == ("@" not in shown[1:])
            case Hashtag():
                assert shown[1:] == entity.name
                assert not entity.name.isdigit()


@pytest.mark.parametrize(
    "unit",
    [
        "@a@",
        "@a@a.",
        "@a",
        "#",
        "#1",
        "#a#",
        "https://",
        "https://a@",
        "http://a.",
        "http://a/(",
        ")",
        "(",
        "@-",
        "a.",
        "https://a.b/)))",
        "@a.-",
        "#\u200c",
        "http://例",
        "\u0301",
        "#a\u200c",
        "@a@例",
        "https://[",
        "http://a:1",
        "<a ",
        "#a·",
        "://",
        "ＡＡ@a",
        "[(",
        "https://x.y/" + "(" * 50,
    ],
)
def test_hostile_repetitions_of_100_000_characters_are_read_to_the_end(unit):
    text = (unit * 100_000)[:100_000]
    for hostile in (text, "https://example.org/" + text, "@bob@" + text, "#a" + text):
        previous = 0
        for entity in entities(hostile):
            assert previous <= entity.start < entity.end
            previous = entity.end
    assert len(render(text, mentions={}, tag_url=str)) >= len(text.strip())
