"""Files of follows, blocks, mutes, lists, bookmarks and blocked domains: taken along, and brought in."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse.errors import FediverseError
from fediverse.transfer import formats
from fediverse.transfer.formats import FORMATS
from tests.conftest import MakeInstance
from tests.peers.scripted import Server
from tests.support.browser import Browser, PageSeen
from tests.support.instance import PASSWORD, Instance

PAGE = "/settings/transfer"


async def bring(browser: Browser, kind: str, text: str, mode: str = "merge") -> PageSeen:
    form = (await browser.get(PAGE)).form(PAGE)
    return await browser.send(form, kind=kind, mode=mode, file=text.encode())


async def taken(browser: Browser, file: str) -> list[list[str]]:
    page = await browser.get(f"{PAGE}/{file}")
    assert page.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in page.headers["Content-Disposition"]
    return list(csv.reader(io.StringIO(page.text)))


async def test_there_and_back(instance: Instance, peer: Server) -> None:
    alice, bob, carol = [await instance.account(name) for name in ("alice", "bob", "carol")]
    remote = peer.actor("remi")
    here = instance.domain
    seen = await instance.post(bob, "worth keeping")
    hidden = await instance.post(carol, "private", visibility="private")
    note = peer.serve(remote.note("far away"))
    files = {
        "following": "Account address,Show boosts,Notify on new posts,Languages\n"
        f'bob@{here},false,true,"de, en"\n@{remote.username}@{peer.host},true,false,\n'
        f"nobody@{peer.host},true,false,\n{'x' * 50} y,true,false,\nalice@{here},true,false,\n",
        "blocks": f"carol@{here}\n\n",
        "mutes": f"Account address,Hide notifications\nbob@{here},false\n",
        "bookmarks": f"{seen['uri']}\n{hidden['uri']}\n{note['id']}\n{peer.url}/missing\n",
        "domain_blocks": "#domain\nBad.example\nnot a domain\n",
        "lists": f"=SUM(A1),bob@{here}\nFriends,bob@{here}\nFriends,carol@{here}\n",
    }
    async with Browser(instance.url) as browser:
        await browser.sign_in("alice", PASSWORD)
        for kind, text in files.items():
            page = await bring(browser, kind, text)
            assert (page.status, "has begun" in page.words) == (200, True), page.words
            await instance.tick()
        page = await browser.get(PAGE)
        for words in (
            "2 of 5 brought in, 3 not.",
            "1 of 1 brought in.",
            "2 of 4 brought in, 2 not.",
            "You cannot follow yourself.",
        ):
            assert words in page.words
        assert peer.types() == ["Follow"]
        [relation] = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={bob.id}", by=alice)
        assert (relation["languages"], relation["notifying"], relation["muting_notifications"]) == (
            ["de", "en"],
            True,
            False,
        )

        await instance.database.write(lambda tx: tx.exec_driver_sql("UPDATE follows SET accepted = true").rowcount)
        assert await taken(browser, "following_accounts.csv") == [
            ["Account address", "Show boosts", "Notify on new posts", "Languages"],
            [f"remi@{peer.host}", "true", "false", ""],
            [f"bob@{here}", "false", "true", "de, en"],
        ]
        assert await taken(browser, "blocked_accounts.csv") == [[f"carol@{here}"]]
        assert await taken(browser, "muted_accounts.csv") == [
            ["Account address", "Hide notifications"],
            [f"bob@{here}", "false"],
        ]
        assert await taken(browser, "blocked_domains.csv") == [["bad.example"]]
        assert await taken(browser, "bookmarks.csv") == [[note["id"]], [seen["uri"]]]
        # What a spreadsheet would take for a formula is kept from it, and comes back as it was.
        assert await taken(browser, "lists.csv") == [["Friends", f"bob@{here}"], ["'=SUM(A1)", f"bob@{here}"]]
        assert {one["title"] for one in await instance.call("GET", "/api/v1/lists", by=alice)} == {
            "=SUM(A1)",
            "Friends",
        }

        # Overwriting removes what is not in the file.
        await bring(browser, "following", f"bob@{here}", mode="overwrite")
        await bring(browser, "lists", f"Friends,bob@{here}\n", mode="overwrite")
        await bring(browser, "bookmarks", f"{seen['uri']}\n", mode="overwrite")
        await instance.tick()
        await bring(browser, "blocks", f"bob@{here}", mode="overwrite")
        await bring(browser, "mutes", f"carol@{here}", mode="overwrite")
        await bring(browser, "domain_blocks", "worse.example", mode="overwrite")
        followed = (await taken(browser, "following_accounts.csv"))[1:]
        assert followed == [[f"bob@{here}", "false", "true", "de, en"]]
        assert await taken(browser, "lists.csv") == [["Friends", f"bob@{here}"]]
        assert await taken(browser, "bookmarks.csv") == [[seen["uri"]]]
        assert peer.types() == ["Follow", "Undo"]
        await instance.tick()
        assert await taken(browser, "blocked_accounts.csv") == [[f"bob@{here}"]]
        assert (await taken(browser, "muted_accounts.csv"))[1:] == [[f"carol@{here}", "true"]]
        assert await taken(browser, "blocked_domains.csv") == [["worse.example"]]
        assert (await taken(browser, "following_accounts.csv"))[1:] == []

        # What cannot be read is refused, and nobody has more than three under way.
        for kind, text in (("following", ""), ("nonsense", "x"), ("blocks", "a\0b"), ("blocks", "\n" * 50)):
            assert (await bring(browser, kind, text)).status == 422
        assert (await bring(browser, "blocks", "x" * (formats.MAX_BYTES + 1))).status == 413
        for status in (200, 200, 200, 422):
            assert (await bring(browser, "blocks", f"carol@{here}")).status == status
        assert (await browser.get(f"{PAGE}/passwords.csv")).status == 404


async def test_long_files_come_in_by_parts(instance: Instance) -> None:
    alice, friends = await instance.account("alice"), [await instance.account(f"friend{n}") for n in range(23)]
    async with Browser(instance.url) as browser:
        await browser.sign_in("alice", PASSWORD)
        await bring(browser, "following", "".join(f"{friend.username}\n" for friend in friends))
        await instance.tick()
        assert "23 of 23 brought in." in (await browser.get(PAGE)).words
    account = await instance.call("GET", f"/api/v1/accounts/{alice.id}")
    assert account["following_count"] == 23


@pytest.mark.attack("SSRF-08")
async def test_an_import_reaches_nothing_inside(make_instance: MakeInstance, peer: Server) -> None:
    instance = await make_instance(allowed_private_addresses="127.0.0.1:1")
    await instance.account("alice")
    port = peer.host.rpartition(":")[2]
    hosts = (peer.host, f"localhost:{port}", f"2130706433:{port}", f"[::1]:{port}", f"127.1:{port}")
    async with Browser(instance.url) as browser:
        await browser.sign_in("alice", PASSWORD)
        await bring(browser, "following", "".join(f"remi@{host}\n" for host in hosts))
        uris = [f"{scheme}://{host}/note\n" for host in hosts for scheme in ("http", "https")]
        await bring(browser, "bookmarks", "".join(uris[:20]) + "file:///etc/passwd\ngopher://x\n")
        await instance.tick()
        words = (await browser.get(PAGE)).words
        assert "0 of 5 brought in, 5 not." in words
    assert sum(peer.gets.values()) == 0


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@pytest.mark.attack("XSS-08")
@given(title=CELLS, acct=CELLS)
def test_no_cell_is_a_formula_and_every_cell_comes_back(title: str, acct: str) -> None:
    written = formats.write("lists", [{"list": title, "acct": acct}])
    for cells in csv.reader(io.StringIO(written, newline="")):
        assert all(cell[:1] not in {"=", "+", "-", "@", "\t", "\r"} for cell in cells)
    plain = title.strip() == title and acct.strip() == acct and not {"\r", "\n"} & set(title + acct)
    if plain and title[:1] != "'" and acct[:1] != "'" and title + acct:
        assert formats.read("lists", written.encode()) == [{"list": title, "acct": acct}]


@given(kind=st.sampled_from(sorted(FORMATS)), body=st.binary(max_size=200))
def test_any_file_is_read_or_refused(kind: Any, body: bytes) -> None:
    try:
        rows = formats.read(kind, body)
    except FediverseError:
        return
    for row in rows:
        formats.key(kind, row, "here.example")


def test_columns_may_stand_in_any_order() -> None:
    body = b'\xef\xbb\xbfLanguages,account ADDRESS\n"pt-BR, en, !",@a@b.example\n,A@b.example,extra\n'
    assert formats.read("following", body) == [{"acct": "@a@b.example", "languages": ["pt", "en"]}]
    assert formats.read("following", b"a@b.example") == [{"acct": "a@b.example", "languages": []}]
