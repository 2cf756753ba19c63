from __future__ import annotations

import re

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse import errors
from fediverse.text import (
    MentionTarget,
    excerpt,
    from_plain,
    markdown_as_text,
    normalise,
    plain,
    render,
    sanitize,
)

BOB = MentionTarget("https://home.example/users/bob", "bob", "bob@home.example")
CAROL = MentionTarget("https://far.example/users/carol", "Carol", "Carol@far.example")
FAR_BOB = MentionTarget("https://far.example/@bob", "Bob", "Bob@far.example")
MENTIONS = {("bob", None): BOB, ("carol", "far.example"): CAROL, ("bob", "far.example"): FAR_BOB}


def tag_url(name):
    return f"https://home.example/tags/{name}"


def rendered(text, mentions=MENTIONS):
    return render(text, mentions=mentions, tag_url=tag_url)


def test_paragraphs_and_lines():
    assert rendered("a\nb\n\nc\r\n\r\n\r\nd") == "<p>a<br>b</p><p>c</p><p>d</p>"
    assert rendered("") == ""


def test_everything_is_escaped():
    assert rendered("<b onclick=\"x\">&amp; 'q'") == "<p>&lt;b onclick=\"x\"&gt;&amp;amp; 'q'</p>"


def test_a_mention_is_a_card_with_the_name_as_the_account_spells_it():
    assert rendered("hi @CAROL@Far.Example!") == (
        '<p>hi <span class="h-card" translate="no"><a href="https://far.example/users/carol" class="u-url mention">'
        "@<span>Carol</span></a></span>!</p>"
    )


def test_an_unknown_mention_stays_plain_text():
    assert rendered("@nobody @bob@nowhere.example") == "<p>@nobody @bob@nowhere.example</p>"


def test_two_of_one_name_are_told_apart_by_their_hosts():
    html = rendered("@bob @bob@far.example")
    assert "@<span>bob@home.example</span>" in html
    assert "@<span>Bob@far.example</span>" in html
    assert "@<span>bob</span>" in rendered("@bob @bob")


def test_a_hashtag_links_to_its_folded_page_and_keeps_its_spelling():
    assert rendered("#TagÉ") == (
        '<p><a href="https://home.example/tags/tagé" class="mention hashtag" rel="tag">#<span>TagÉ</span></a></p>'
    )


@pytest.mark.parametrize(
    ("url", "hidden", "shown", "rest"),
    [
        ("https://example.com/a", "https://", "<span>example.com/a</span>", ""),
        ("https://www.example.com/", "https://www.", "<span>example.com/</span>", ""),
        ("http://e.io/" + "x" * 23, "http://", f"<span>e.io/{'x' * 23}</span>", ""),
        ("http://e.io/" + "x" * 26, "http://", f'<span class="ellipsis">e.io/{"x" * 25}</span>', "x"),
        ("https://e.io/?a=1&b=2", "https://", "<span>e.io/?a=1&amp;b=2</span>", ""),
    ],
)
def test_a_link_shows_thirty_characters(url, hidden, shown, rest):
    href = url.replace("&", "&amp;")
    assert rendered(url) == (
        f'<p><a href="{href}" target="_blank" rel="nofollow noopener noreferrer" translate="no">'
        f'<span class="invisible">{hidden}</span>{shown}<span class="invisible">{rest}</span></a></p>'
    )


def test_targets_are_escaped_too():
    evil = MentionTarget('https://e.example/"><script>', "<x>", "x@e.example")
    html = rendered("@bob", {("bob", None): evil})
    assert "<script" not in html
    assert "<x>" not in html


def test_half_a_character_is_refused():
    with pytest.raises(errors.Invalid):
        rendered("\ud800")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<br>b</p><p>c</p>", "a\nb\n\nc"),
        ("<p>a</p>\n<p>b</p>", "a\n\nb"),
        ("<p>a</p>\n  text", "a\n\ntext"),
        ("<p>\n  a<br>\n  b\n</p>\n", "a\nb"),
        ("<p> a</p>", " a"),
        ("just <b>text</b> &amp; &lt;more&gt;", "just text & <more>"),
        ("<p>one\n   line</p>", "one line"),
        ("<pre>two\n  lines</pre>", "two\n  lines"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\n\nc"),
        ("<h1>t</h1>x", "t\n\nx"),
        ('<a href="https://example.com/a?b&amp;c">click here</a>', "https://example.com/a?b&c"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="https://u:p@example.com/">x</a>', "x"),
        ('<a href="https://x.example/@bob" class="u-url mention">@<span>bob</span></a>', "@bob"),
        ('<a href="https://x.example/@bob" class="mention">@bob@x.example</a>', "@bob@x.example"),
        ('<a href="https://x.example/tags/t" class="mention hashtag" rel="tag">#<span>T</span></a>', "#T"),
        ('<a href="https://x.example/tags/t" rel="tag">#T</a>', "#T"),
        ("<script>alert(1)</script>a<style>p{}</style>", "a"),
        ("a<!-- b -->c", "ac"),
        ('<p title="a>b">x</p>', "x"),
        ("<div>a</div><div>b</div>", "a\n\nb"),
        ("", ""),
        ("<p>", ""),
        ("\ud800x", "x"),
    ],
)
def test_html_reduced_to_text(html, text):
    assert plain(html) == text


def test_a_mention_of_another_host_gets_its_host():
    html = rendered("@carol@far.example and @bob")
    assert plain(html, local_host="home.example") == "@Carol@far.example and @bob"
    assert plain(html, handles={CAROL.url: "@carol@split.example"}, local_host="home.example") == (
        "@carol@split.example and @bob"
    )


WORDS = st.sampled_from(
    [
        "@bob",
        "@Carol@far.example",
        "@nobody@nowhere.example",
        "#Tag",
        "＃タグ",
        "https://example.com/",
        "<b>",
        "&amp;",
        "https://www.example.com/wiki/A_(b)?x=1&y=%20#z" + "q" * 40,
        "http://127.0.0.1:8001/a",
        "https://例え.jp/é",
        "a  b",
        "\u00a0",
        "😀",
        "e\u0301",
        "\n",
        "\n\n",
        " ",
        '"',
        "'",
        "(",
        ")",
        ".",
        ",",
        "\u200f",
        "&lt;",
        "</p>",
    ]
)
TEXTS = st.one_of(
    st.lists(WORDS).map("".join),
    st.lists(WORDS).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs"])),
)


@given(TEXTS)
def test_plain_undoes_render(text):
    mentions = {("bob", None): BOB, ("carol", "far.example"): CAROL}
    # A mention is shown as the account spells its name and its host: other spellings come back as that one.
    text = re.sub("@bob", "@bob", re.sub("@carol@far.example", "@Carol@far.example", text, flags=re.I), flags=re.I)
    text = normalise(text)
    assert plain(rendered(text, mentions), local_host="home.example") == text


@given(TEXTS)
def test_rendered_html_passes_the_allow_list_and_keeps_its_text(text):
    html = rendered(text)
    assert plain(sanitize(html)) == plain(html)
    names = {e.tag for e in html5lib.parseFragment(html, namespaceHTMLElements=False).iter()} - {"DOCUMENT_FRAGMENT"}
    assert names <= {"p", "br", "a", "span"}


def test_plain_text_of_others_links_urls_only():
    html = from_plain("# **Title**\n<script>alert(1)</script> #tag @bob\n\nhttps://example.com/a")
    assert html.startswith("<p># **Title**<br>&lt;script&gt;alert(1)&lt;/script&gt; #tag @bob</p><p><a href=")
    assert html.count("<a ") == 1
    assert markdown_as_text("*a*") == "<p>*a*</p>"
    assert from_plain("\ud800") == "<p>\ufffd</p>"
    assert from_plain(" \n ") == ""


def test_excerpts():
    html = "<p>Hello <b>big</b></p><p>world 👨‍👩‍👧</p>"
    assert excerpt(html, 100) == "Hello big world 👨‍👩‍👧"
    assert excerpt(html, 17) == "Hello big world 👨‍👩‍👧"
    assert excerpt(html, 16) == "Hello big world…"
    assert excerpt(html, 11) == "Hello big…"
    assert excerpt("", 10) == ""
