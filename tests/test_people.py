"""Finding people, and what the instance says of itself, over real HTTP."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, update

from fediverse import clock, moderation, usage
from fediverse import instance as properties
from fediverse.actors import people
from fediverse.clock import DAY, WEEK, week_of
from fediverse.tables.actors import actors
from fediverse.text.paragraphs import from_paragraphs
from tests.support import world
from tests.support.commands import Commands
from tests.support.instance import Account, Instance

TODAY = clock.rfc3339(clock.now())[:10]


async def names(instance: Instance, path: str, by: Account | None = None, **params: str) -> list[str]:
    found = await instance.call("GET", path, by=by, params=params)
    return [one.get("account", one)["acct"] for one in found]


async def test_the_directory(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    await instance.account("hidden", discoverable=False)
    carol = await instance.database.write(world.remote, "carol")
    await instance.database.write(
        lambda tx: tx.execute(update(actors).where(actors.c.id == carol.id).values(discoverable=True)).rowcount
    )
    path = "/api/v1/directory"
    assert await names(instance, path) == []  # nobody has posted yet
    assert await names(instance, path, order="new") == ["carol@there.example", "bob", "alice"]
    assert await names(instance, path, order="new", local="true") == ["bob", "alice"]
    assert await names(instance, path, order="new", limit="1", offset="1") == ["bob"]
    for author in (bob, alice):
        await instance.post(author, "hello")
    assert await names(instance, path) == ["alice", "bob"]
    await instance.call("POST", f"/api/v1/accounts/{bob.id}/mute", by=alice)
    assert await names(instance, path, by=alice) == ["alice"]
    await instance.call("GET", path, params={"order": "odd"}, status=422)
    for hide in (moderation.set_suspended,):
        await instance.database.write(hide, bob.id, True, now=1)
    assert await names(instance, path) == ["alice"]


async def test_suggestions(instance: Instance) -> None:
    alice, bob, carol, dora, eve = [await instance.account(name) for name in ("alice", "bob", "carol", "dora", "eve")]
    shy = await instance.account("shy", discoverable=False)

    async def follow(who: Account, whom: Account) -> None:
        await instance.call("POST", f"/api/v1/accounts/{whom.id}/follow", by=who)

    path = "/api/v2/suggestions"
    assert await names(instance, path, by=alice) == []
    for whom in (carol, dora, eve):
        await follow(shy, whom)
    await follow(dora, carol)
    assert await names(instance, path, by=alice) == ["carol", "dora", "eve"]  # by their followers
    await follow(alice, bob)
    for whom in (dora, shy, alice):
        await follow(bob, whom)
    found = await instance.call("GET", path, by=alice)
    assert [(one["account"]["acct"], one["sources"]) for one in found] == [
        ("dora", ["friends_of_friends"]),
        ("carol", ["most_followed"]),
        ("eve", ["most_followed"]),
    ]
    assert await names(instance, "/api/v1/suggestions", by=alice, limit="1", offset="1") == ["carol"]
    assert await instance.call("DELETE", f"/api/v1/suggestions/{dora.id}", by=alice) == {}
    assert await instance.call("DELETE", "/api/v1/suggestions/77", by=alice) == {}
    await instance.call("POST", f"/api/v1/accounts/{eve.id}/block", by=alice)
    assert await names(instance, path, by=alice) == ["carol"]
    await follow(alice, carol)
    assert await names(instance, path, by=alice) == []
    await instance.call("GET", path, status=401)


async def test_what_the_instance_says_of_itself(instance: Instance) -> None:
    alice = await instance.account("alice")
    urls = (await instance.call("GET", "/api/v2/instance"))["configuration"]["urls"]
    assert (urls["privacy_policy"], urls["terms_of_service"]) == (None, None)
    async with instance.http.get(f"{instance.url}/privacy-policy") as answer:
        assert answer.status == 404
    for name in ("extended_description", "privacy_policy", "terms_of_service", f"terms_of_service/{TODAY}"):
        await instance.call("GET", f"/api/v1/instance/{name}", status=404)
    now = clock.now()
    old, new = clock.to_datetime(now - DAY).date(), clock.to_datetime(now + DAY).date()

    def say(tx: Connection) -> None:
        for name in ("extended_description", "privacy_policy"):
            properties.set_text(tx, name, "# Us\n\nWe <are>", now=now)
        properties.set_text(tx, "terms_of_service", "Be kind.", effective=old, now=now)
        properties.set_text(tx, "terms_of_service", "Be kinder.", effective=new, now=now)
        properties.update(tx, languages=("de", "EN"))
        moderation.block_host(tx, "bad.example", severity="block", comment="a note", now=now)
        moderation.block_host(tx, "a.example", severity="limit", now=now)
        for host in ("other.example", "sub.bad.example"):
            world.remote(tx, "somebody", host)

    await instance.database.write(say)
    for name in ("extended_description", "privacy_policy"):
        text = await instance.call("GET", f"/api/v1/instance/{name}")
        assert text == {"content": "<h2>Us</h2><p>We &lt;are&gt;</p>", "updated_at": clock.rfc3339(now)}
    terms = await instance.call("GET", "/api/v1/instance/terms_of_service")
    assert terms == {
        "effective_date": str(old),
        "effective": True,
        "content": "<p>Be kind.</p>",
        "succeeded_by": str(new),
    }
    coming = await instance.call("GET", f"/api/v1/instance/terms_of_service/{new}")
    assert (coming["effective"], coming["content"], coming["succeeded_by"]) == (False, "<p>Be kinder.</p>", None)
    for day in ("2020-01-01", "yesterday", "%00"):
        await instance.call("GET", f"/api/v1/instance/terms_of_service/{day}", status=404)
    for version in ("v1", "v2"):
        assert (await instance.call("GET", f"/api/{version}/instance"))["languages"] == ["de", "en"]
    assert {"code": "de", "name": "German"} in await instance.call("GET", "/api/v1/instance/languages")
    assert await instance.call("GET", "/api/v1/instance/translation_languages") == {}
    assert await instance.call("GET", "/api/v1/instance/peers") == ["other.example"]

    path = "/api/v1/instance/domain_blocks"
    await instance.call("GET", path, by=alice, status=404)
    await instance.database.write(lambda tx: properties.update(tx, domain_blocks="users").domain_blocks)
    await instance.call("GET", path, status=401)
    blocks = await instance.call("GET", path, by=alice)
    assert [(one["domain"], one["severity"], one["comment"]) for one in blocks] == [
        ("bad.example", "suspend", None),
        ("a.example", "silence", None),
    ]
    await instance.database.write(lambda tx: properties.update(tx, domain_blocks="everybody").domain_blocks)
    assert await instance.call("GET", path) == blocks
    two = await instance.call("GET", "/api/v2/instance")
    for name in ("about", "privacy_policy", "terms_of_service"):
        async with instance.http.get(two["configuration"]["urls"][name]) as answer:
            page = await answer.text()
            assert answer.status == 200
            assert ("Be kind." if name == "terms_of_service" else "<h2>Us</h2><p>We &lt;are&gt;</p>") in page
    async with instance.http.get(f"{instance.url}/health") as answer:
        assert (answer.status, await answer.text()) == (200, "OK")


async def test_what_goes_on_is_counted_by_weeks(instance: Instance) -> None:
    alice = await instance.account("alice")
    await instance.post(alice, "one")
    await instance.post(alice, "two")
    weeks = await instance.call("GET", "/api/v1/instance/activity")
    assert len(weeks) == 12
    now = clock.now()
    assert weeks[0] == {"week": str(week_of(now) // 1000), "statuses": "2", "logins": "1", "registrations": "1"}
    assert {tuple(week.values())[1:] for week in weeks[1:]} == {("0", "0", "0")}

    def later(tx: Connection) -> list[usage.Week]:
        people.seen(tx, alice.person_id, now=now + WEEK)
        return list(usage.weeks(tx, now=now + WEEK))

    first, second, *_ = await instance.database.write(later)
    assert (first.statuses, first.logins, first.registrations) == (0, 1, 0)
    assert (second.statuses, second.logins, second.registrations) == (2, 1, 1)
    await instance.database.write(people.sweep, now=now + 20 * WEEK)
    assert (await instance.database.read(usage.weeks, now=now))[0].logins == 0


def test_texts_and_properties_are_set_from_the_command_line(commands: Commands) -> None:
    run = commands.run
    run("instance", "text", "privacy-policy", "-", stdin="We keep little.\n")
    run("instance", "text", "terms-of-service", "-", "--effective", "2026-01-31", stdin="Be kind.")
    run("instance", "text", "rules", "-", stdin="One\nTwo\n")
    run("instance", "set", "languages", "de,en")
    run("instance", "set", "name", "Company")
    for name, value in (("languages", "klingon"), ("contact", "nobody"), ("domain-blocks", "some")):
        assert commands.refusal("instance", "set", name, value)
    shown = run("instance", "show")
    for line in (
        "name: Company",
        "languages: de, en",
        "rules: One / Two",
        "terms-of-service: 2026-01-31",
        f"privacy-policy: {TODAY}",
    ):
        assert line in shown
    assert "gone" in run("instance", "text", "privacy-policy", "-")
    assert "privacy-policy: none" in run("instance", "show")


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("", ""),
        ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        ("# A & B\n## C", "<h2>A &amp; B</h2><h3>C</h3>"),
        ("- a\r\n* <b>\n", "<ul><li>a</li><li>&lt;b&gt;</li></ul>"),
        ("#tag\n-dash", "<p>#tag<br>-dash</p>"),
    ],
)
def test_paragraphs(source: str, html: str) -> None:
    assert from_paragraphs(source) == html
