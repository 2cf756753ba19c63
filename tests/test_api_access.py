"""Who is let in: tokens, codes, sessions, links, passwords. Domain level, on both databases."""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from sqlalchemy import Connection, Row, delete, select, update

from fediverse import access, ids
from fediverse.access import OAuthError, passwords
from fediverse.clock import DAY, MINUTE
from fediverse.db import Database
from fediverse.errors import Invalid
from fediverse.tables.access import oauth_codes, oauth_tokens, one_time_links, sessions
from fediverse.tables.actors import actors, memberships, people

NOW = 1_800_000_000_000
URI = "https://app.example/callback"
VERIFIER = "a" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def make_person(tx: Connection, name: str = "alice") -> tuple[int, int]:
    """(person id, actor id) of somebody new."""
    person_id, actor_id = ids.new_id(), ids.new_id()
    tx.execute(
        actors.insert().values(
            id=actor_id,
            username=name,
            username_folded=name.lower(),
            host="",
            kind="Person",
            fields=[],
            fields_source=[],
            also_known_as=[],
            created_at=NOW,
        )
    )
    email = f"{name}@example.com"
    tx.execute(
        people.insert().values(
            id=person_id,
            email=email,
            email_folded=email,
            role="user",
            created_at=NOW,
            approved_at=NOW,
            confirmed_at=NOW,
        )
    )
    tx.execute(memberships.insert().values(person_id=person_id, actor_id=actor_id, role="owner", created_at=NOW))
    return person_id, actor_id


def make_app(tx: Connection, scopes: str = "read write") -> tuple[Row[Any], str]:
    return access.register_app(tx, name="App", redirect_uris=[URI], scopes=scopes, website=None, now=NOW)


def authorize(tx: Connection, app: Row[Any], **changes: Any) -> access.AuthorizeRequest:
    return access.check_authorize(tx, **{"client_id": app.client_id, "redirect_uri": URI, "scope": "read", **changes})


class World:
    """An application, a person, and a code between them."""

    def __init__(self, tx: Connection, **changes: Any) -> None:
        self.person_id, self.actor_id = make_person(tx)
        self.app, self.secret = make_app(tx)
        request = authorize(tx, self.app, **changes)
        self.code = access.create_code(tx, request, person_id=self.person_id, actor_id=self.actor_id, now=NOW)


def exchange(tx: Connection, world: World, **changes: Any) -> tuple[str, str] | OAuthError:
    return access.exchange_code(
        tx,
        **{
            "app": world.app,
            "code": world.code,
            "redirect_uri": URI,
            "code_verifier": None,
            "now": NOW + MINUTE,
            **changes,
        },
    )


async def test_token_speaks_for_person_and_actor_and_is_stored_as_hash_only(database: Database) -> None:
    def work(tx: Connection) -> None:
        person_id, actor_id = make_person(tx)
        token = access.token_create(
            tx, person_id=person_id, actor_id=actor_id, scopes=("read", "write:statuses"), now=NOW
        )
        found = access.bearer(tx, token)
        assert found is not None
        assert (found.person_id, found.actor_id, found.role) == (person_id, actor_id, "user")
        assert found.scopes == {"read", "write:statuses"}
        assert access.bearer(tx, token + "x") is None
        assert access.bearer(tx, "") is None
        stored = tx.execute(select(oauth_tokens)).one()
        assert token not in str(tuple(stored))
        assert len(token) >= 43

    await database.write(work)


@pytest.mark.parametrize(
    "ending",
    [
        lambda person, actor: delete(memberships),
        lambda person, actor: update(people).where(people.c.id == person).values(suspended_at=NOW),
        lambda person, actor: update(actors).where(actors.c.id == actor).values(suspended_at=NOW),
        lambda person, actor: update(actors).where(actors.c.id == actor).values(deleted_at=NOW),
        lambda person, actor: update(people).where(people.c.id == person).values(approved_at=None),
        lambda person, actor: update(oauth_tokens).values(revoked_at=NOW),
    ],
    ids=["membership", "person", "actor suspended", "actor deleted", "unapproved", "revoked"],
)
async def test_token_ends_with_what_it_stands_on(database: Database, ending: Any) -> None:
    def work(tx: Connection) -> None:
        person_id, actor_id = make_person(tx)
        token = access.token_create(tx, person_id=person_id, actor_id=actor_id, scopes=("read",), now=NOW)
        cookie = access.create_session(tx, person_id=person_id, actor_id=actor_id, user_agent="x", now=NOW)
        assert access.bearer(tx, token) is not None
        assert access.session(tx, cookie, now=NOW) is not None
        statement = ending(person_id, actor_id)
        tx.execute(statement)
        assert access.bearer(tx, token) is None
        if statement.table is not oauth_tokens:
            assert access.session(tx, cookie, now=NOW) is None

    await database.write(work)


async def test_code_gives_one_token_and_a_second_use_ends_it(database: Database) -> None:
    def work(tx: Connection) -> None:
        world = World(tx)
        made = exchange(tx, world)
        assert not isinstance(made, OAuthError)
        token, scopes = made
        assert scopes == "read"
        found = access.bearer(tx, token)
        assert found is not None
        assert (found.person_id, found.actor_id) == (world.person_id, world.actor_id)
        again = exchange(tx, world)
        assert isinstance(again, OAuthError)
        assert again.code == "invalid_grant"
        assert access.bearer(tx, token) is None

    await database.write(work)


@pytest.mark.attack("OAU-02")
async def test_twenty_exchanges_at_once_give_exactly_one_token(database: Database) -> None:
    world = await database.write(World)
    made = await asyncio.gather(*(database.write(exchange, world) for _ in range(20)))
    assert sum(not isinstance(one, OAuthError) for one in made) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": URI + "/"},
        {"redirect_uri": ""},
        {"now": NOW + 10 * MINUTE},
        {"code": "wrong"},
        {"code_verifier": VERIFIER},  # a verifier, although no challenge was given
    ],
    ids=["other address", "no address", "too late", "wrong code", "verifier without challenge"],
)
@pytest.mark.attack("OAU-02")
async def test_code_is_refused(database: Database, changes: dict[str, Any]) -> None:
    def work(tx: Connection) -> None:
        refused = exchange(tx, World(tx), **changes)
        assert isinstance(refused, OAuthError)
        assert refused.code == "invalid_grant"
        assert tx.execute(select(oauth_tokens)).all() == []

    await database.write(work)


async def test_code_of_another_client_is_refused(database: Database) -> None:
    def work(tx: Connection) -> None:
        world = World(tx)
        other, _ = make_app(tx)
        assert isinstance(exchange(tx, world, app=other), OAuthError)

    await database.write(work)


@pytest.mark.parametrize(
    ("verifier", "is_right"),
    [(VERIFIER, True), (None, False), ("", False), ("b" * 43, False), ("a" * 42, False), (CHALLENGE, False)],
)
@pytest.mark.attack("OAU-03")
async def test_challenge_needs_its_verifier(database: Database, verifier: str | None, is_right: bool) -> None:
    def work(tx: Connection) -> None:
        world = World(tx, code_challenge=CHALLENGE, code_challenge_method="S256")
        made = exchange(tx, world, code_verifier=verifier)
        assert isinstance(made, OAuthError) is not is_right

    await database.write(work)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"redirect_uri": "https://app.example/callback/"}, "invalid_request"),
        ({"redirect_uri": "https://app.example/callback?x=1"}, "invalid_request"),
        ({"redirect_uri": "https://app.example/callback#x"}, "invalid_request"),
        ({"redirect_uri": "https://app.example/callback/../evil"}, "invalid_request"),
        ({"redirect_uri": "https://app.example"}, "invalid_request"),
        ({"redirect_uri": "http://app.example/callback"}, "invalid_request"),
        ({"redirect_uri": "https://sub.app.example/callback"}, "invalid_request"),
        ({"redirect_uri": "https://app.example@evil.example/callback"}, "invalid_request"),
        ({"redirect_uri": "javascript:alert(1)"}, "invalid_request"),
        ({"redirect_uri": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "push"}, "invalid_scope"),
        ({"scope": "read admin:read"}, "invalid_scope"),
        ({"scope": "read nonsense"}, "invalid_scope"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
    ],
)
@pytest.mark.attack("OAU-01", "OAU-03", "OAU-04")
async def test_authorize_parameters_are_refused(database: Database, changes: dict[str, Any], code: str) -> None:
    def work(tx: Connection) -> None:
        app, _ = make_app(tx)
        with pytest.raises(OAuthError) as caught:
            authorize(tx, app, **changes)
        assert caught.value.code == code
        assert caught.value.status == 400

    await database.write(work)


async def test_authorize_takes_finer_and_repeated_scopes_once(database: Database) -> None:
    def work(tx: Connection) -> None:
        app, _ = make_app(tx, "read write:statuses")
        request = authorize(tx, app, scope="read:accounts read:accounts write:statuses")
        assert request.scopes == ("read:accounts", "write:statuses")
        with pytest.raises(OAuthError):
            authorize(tx, app, scope="write")

    await database.write(work)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://user@host.example/",
        "https://host.example/#fragment",
        "https:///nohost",
        "not a uri",
        "relative/path",
        "https://host.example/\\evil",
        "",
        "x" * 3000,
    ],
)
@pytest.mark.attack("OAU-01")
async def test_addresses_that_cannot_be_redirected_to_are_not_registered(database: Database, uri: str) -> None:
    def work(tx: Connection) -> None:
        with pytest.raises(Invalid):
            access.register_app(tx, name="App", redirect_uris=[uri], scopes="read", website=None, now=NOW)

    await database.write(work)


async def test_client_secret_is_needed_and_not_stored(database: Database) -> None:
    def work(tx: Connection) -> None:
        app, secret = make_app(tx)
        assert access.authenticate_client(tx, app.client_id, secret).id == app.id
        assert secret not in str(tuple(app))
        for client_id, wrong in ((app.client_id, secret + "x"), (app.client_id, ""), ("nobody", secret), ("", "")):
            with pytest.raises(OAuthError) as caught:
                access.authenticate_client(tx, client_id, wrong)
            assert (caught.value.code, caught.value.status) == ("invalid_client", 401)

    await database.write(work)


async def test_nobody_can_authenticate_as_the_command_line(database: Database) -> None:
    def work(tx: Connection) -> None:
        person_id, actor_id = make_person(tx)
        for _ in range(2):
            access.token_create(tx, person_id=person_id, actor_id=actor_id, scopes=("read",), now=NOW)
        token = tx.execute(select(oauth_tokens.c.app_id).distinct()).all()
        assert len(token) == 1
        with pytest.raises(OAuthError):
            access.authenticate_client(tx, "fediverse-command-line", "")

    await database.write(work)


async def test_revocation_is_for_ones_own_tokens(database: Database) -> None:
    def work(tx: Connection) -> None:
        app, _ = make_app(tx)
        other, _ = make_app(tx)
        token = access.client_token(tx, app, scopes=("read",), now=NOW)
        assert not access.revoke_token(tx, app_id=other.id, token=token, now=NOW)
        assert access.bearer(tx, token) is not None
        assert access.revoke_token(tx, app_id=app.id, token=token, now=NOW)
        assert access.bearer(tx, token) is None
        assert access.revoke_token(tx, app_id=app.id, token="unknown", now=NOW)

    await database.write(work)


async def test_sessions_slide_and_end(database: Database) -> None:
    def work(tx: Connection) -> None:
        person_id, actor_id = make_person(tx)
        first = access.create_session(tx, person_id=person_id, actor_id=actor_id, user_agent="x" * 999, now=NOW)
        second = access.create_session(tx, person_id=person_id, actor_id=actor_id, user_agent="", now=NOW)
        assert first != second
        assert access.session(tx, first, now=NOW + 29 * DAY) is not None
        access.extend_session(tx, first, now=NOW + 29 * DAY)
        assert access.session(tx, first, now=NOW + 31 * DAY) is not None
        assert access.session(tx, second, now=NOW + 31 * DAY) is None
        access.end_session(tx, first)
        assert access.session(tx, first, now=NOW) is None
        access.sweep(tx, now=NOW + 31 * DAY)
        assert tx.execute(select(sessions)).all() == []

    await database.write(work)


async def test_password_change_ends_everything_but_this_session(database: Database) -> None:
    def work(tx: Connection) -> None:
        world = World(tx)
        who = {"person_id": world.person_id, "actor_id": world.actor_id}
        token = access.token_create(tx, **who, scopes=("read",), now=NOW)
        here = access.create_session(tx, **who, user_agent="", now=NOW)
        elsewhere = access.create_session(tx, **who, user_agent="", now=NOW)
        access.end_all(tx, world.person_id, now=NOW, keep_cookie=here)
        assert access.session(tx, here, now=NOW) is not None
        assert access.session(tx, elsewhere, now=NOW) is None
        assert access.bearer(tx, token) is None
        assert isinstance(exchange(tx, world), OAuthError)

    await database.write(work)


async def test_links_work_once_for_their_purpose_and_time(database: Database) -> None:
    def work(tx: Connection) -> None:
        person_id, _ = make_person(tx)
        old = access.create_link(tx, "reset", person_id=person_id, now=NOW)
        token = access.create_link(tx, "reset", person_id=person_id, now=NOW)
        setup = access.create_link(tx, "setup", now=NOW)
        assert access.peek_link(tx, "reset", old, now=NOW) is None  # a newer link ends an older one
        assert access.peek_link(tx, "setup", token, now=NOW) is None
        assert access.peek_link(tx, "reset", token, now=NOW + access.LINK_LIFETIME["reset"]) is None
        assert access.peek_link(tx, "setup", setup, now=NOW) is not None
        found = access.consume_link(tx, "reset", token, now=NOW)
        assert found is not None
        assert found.person_id == person_id
        assert access.consume_link(tx, "reset", token, now=NOW) is None
        assert token not in str(tx.execute(select(one_time_links)).all())
        assert tx.execute(select(oauth_codes)).all() == []

    await database.write(work)


@pytest.mark.attack("OAU-09")
def test_passwords_are_checked_before_they_are_hashed() -> None:
    for wrong in ("short", "x" * 257, "x" * 1_000_000, "null\x00byte"):
        with pytest.raises(Invalid):
            passwords.hash_password(wrong)
    assert not passwords.verify(passwords.hash_password("x" * 256), "x" * 1_000_000)


@pytest.mark.attack("OAU-09")
def test_passwords_are_salted_and_know_no_cut() -> None:
    stored = passwords.hash_password("a" * 72 + "b")
    assert stored != passwords.hash_password("a" * 72 + "b")
    assert stored.startswith("$argon2id$")
    assert passwords.verify(stored, "a" * 72 + "b")
    assert not passwords.verify(stored, "a" * 72 + "c")
    assert not passwords.needs_rehash(stored)


@pytest.mark.attack("OAU-09")
def test_password_is_the_same_in_either_unicode_form() -> None:
    word = "crème brûlée"
    stored = passwords.hash_password(unicodedata.normalize("NFD", word))
    assert passwords.verify(stored, unicodedata.normalize("NFC", word))
    assert passwords.verify(stored, unicodedata.normalize("NFD", word))


def test_nobody_has_a_password_that_fits() -> None:
    assert not passwords.verify("", "nobody has this password")
    assert not passwords.verify("", "")
    assert not passwords.verify("not a hash", "whatever it is")


@pytest.mark.parametrize(
    ("held", "wanted", "allowed"),
    [
        ("read", "read:statuses", True),
        ("read:statuses", "read:statuses", True),
        ("read:statuses", "read:accounts", False),
        ("write:statuses", "write:follows", False),
        ("follow", "write:follows", True),
        ("follow", "read:mutes", True),
        ("follow", "write:statuses", False),
        ("profile", "read:accounts", False),
        ("write", "read:statuses", False),
        ("read:statuses", "read", False),
    ],
)
def test_scopes_contain_their_finer_ones(held: str, wanted: str, allowed: bool) -> None:
    assert access.allows(frozenset(held.split()), wanted) is allowed


def test_scopes_are_described() -> None:
    sentences = access.describe_scopes(access.ALL_SCOPES)
    assert len(sentences) == len(access.ALL_SCOPES)
    assert all(sentences)
