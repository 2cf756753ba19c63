"""The directory: who acts, here and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select

from fediverse import moderation
from fediverse.actors import directory
from fediverse.db import insert, sqlite_engine
from fediverse.drafts import ActorDraft, KeyDraft
from fediverse.errors import Invalid, NotFound
from fediverse.signatures import KeySealed, generate_ed25519, generate_rsa, load_public
from fediverse.tables import metadata
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actor_keys, actors, follows
from fediverse.tables.statuses import favourites, statuses
from fediverse.urls import Urls

URLS = Urls("https://social.company.test", "company.test")
SECRET = b"0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000_000
KEYS = directory.make_keys()
RSA = generate_rsa()[1]
ED25519 = generate_ed25519()[1]


@pytest.fixture
def tx(tmp_path: Any) -> Iterator[Connection]:
    engine = sqlite_engine(f"sqlite:///{tmp_path}/test.db", begin="BEGIN IMMEDIATE")
    metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _draft(**changes: Any) -> ActorDraft:
    base = ActorDraft(
        uri="https://peer.test/users/bob",
        kind="Person",
        username="bob",
        host="peer.test",
        inbox="https://peer.test/users/bob/inbox",
        keys=(KeyDraft("https://peer.test/users/bob#main-key", "rsa", RSA),),
    )
    return replace(base, **changes)


def _local(tx: Connection, username: str = "Alice", **options: Any) -> Any:
    return directory.create_local(tx, username=username, keys=KEYS, secret=SECRET, now=NOW, **options)


def test_a_local_actor_has_sealed_keys_that_fit_its_public_ones(tx: Connection) -> None:
    alice = _local(tx)
    rsa, ed25519 = directory.keys_of(tx, alice.id)
    assert (rsa.algorithm, ed25519.algorithm) == ("rsa", "ed25519")
    assert "PRIVATE" not in rsa.private_key
    private = directory.signing_key(tx, alice.id, SECRET)
    assert private.public_key().public_numbers() == load_public(rsa.public_key).public_numbers()  # type: ignore[union-attr]
    with pytest.raises(KeySealed):
        directory.signing_key(tx, alice.id, b"another secret of enough length!")


@pytest.mark.parametrize("name", ["alice", "ALICE", "admin", "Inbox", "", "a b", "ünal", "a" * 31, "a-b", "a.b"])
def test_names_that_are_taken_reserved_or_none_are_refused(tx: Connection, name: str) -> None:
    _local(tx)
    with pytest.raises(Invalid):
        _local(tx, name)


def test_the_operator_may_use_a_reserved_name(tx: Connection) -> None:
    assert _local(tx, "security", reserved=False).username == "security"


def test_a_deleted_name_is_not_given_away_again(tx: Connection) -> None:
    directory.mark_gone(tx, _local(tx).id, NOW)
    with pytest.raises(Invalid):
        _local(tx, "alice")


@pytest.mark.parametrize(
    "uri",
    [
        "https://social.company.test/users/alice",
        "https://social.company.test/users/ALICE",
        "https://social.company.test/users/Alice/",
        "https://social.company.test/users/Alice#main-key",
        "https://social.company.test/users/Alice?x",
        "https://social.company.test/@Alice",
        "https://social.company.test.evil.test/users/Alice",
        "http://social.company.test/users/Alice",
    ],
)
def test_only_the_exact_id_names_a_local_actor(tx: Connection, uri: str) -> None:
    _local(tx)
    assert directory.by_uri(tx, URLS, uri) is None


def test_the_host_of_an_id_is_compared_without_case_and_default_port(tx: Connection) -> None:
    alice = _local(tx)
    bob = directory.upsert_remote(tx, _draft(), host="peer.test", now=NOW)
    asked = {
        "HTTPS://SOCIAL.Company.test:443/users/Alice": alice.id,
        "https://PEER.test/users/bob": bob.id,
        "https://peer.test/users/BOB": None,
        "not a url": None,
    }
    found = directory.by_uris(tx, URLS, asked)
    assert {uri: found[uri].id if uri in found else None for uri in asked} == asked


@pytest.mark.attack("IDN-01")
def test_handles_are_found_in_every_spelling_of_their_domain(tx: Connection) -> None:
    bob = directory.upsert_remote(tx, _draft(), host="BÜCHER.test", now=NOW)
    for host in ("bücher.test", "xn--bcher-kva.test", "BÜCHER.TEST.", "bücher。test", "bücher.test:443"):
        found = directory.by_handle(tx, "BOB", host)
        assert found is not None
        assert found.id == bob.id
    assert directory.by_handle(tx, "bob", "peer.test") is None
    assert directory.by_handle(tx, "bob", "not a host") is None


def test_the_instance_actor_is_made_once_and_is_nobodys_handle(tx: Connection) -> None:
    assert directory.ensure_instance_actor(tx, URLS, keys=None, secret=SECRET, now=NOW) is None
    made = directory.ensure_instance_actor(tx, URLS, keys=KEYS, secret=SECRET, now=NOW)
    again = directory.ensure_instance_actor(tx, URLS, keys=KEYS, secret=SECRET, now=NOW)
    assert made is not None
    assert made == again
    assert (made.id, made.username, made.kind) == (INSTANCE_ACTOR_ID, "social.company.test", "Application")
    assert directory.uri_of(URLS, made) == "https://social.company.test/actor"
    assert directory.by_uri(tx, URLS, "https://social.company.test/actor") == made
    assert directory.local(tx, "social.company.test") is None
    assert len(directory.keys_of(tx, INSTANCE_ACTOR_ID)) == 2


def test_a_remote_actor_is_stored_once_and_its_version_grows_with_what_shows(tx: Connection) -> None:
    first = directory.upsert_remote(tx, _draft(), host="peer.test", now=NOW)
    same = directory.upsert_remote(tx, _draft(uri="https://PEER.test/users/bob"), host="peer.test", now=NOW + 1)
    renamed = directory.upsert_remote(tx, _draft(name="Bob"), host="peer.test", now=NOW + 2)
    assert first.id == same.id == renamed.id
    assert (first.version, same.version, renamed.version) == (1, 1, 2)
    assert (same.fetched_at, renamed.name) == (NOW + 1, "Bob")


def test_keys_that_a_document_no_longer_lists_are_gone(tx: Connection) -> None:
    actor = directory.upsert_remote(tx, _draft(), host="peer.test", now=NOW)
    keys = (KeyDraft("https://peer.test/users/bob#new", "ed25519", ED25519),)
    directory.upsert_remote(tx, _draft(keys=keys), host="peer.test", now=NOW)
    assert [row.key_uri for row in directory.keys_of(tx, actor.id)] == ["https://peer.test/users/bob#new"]
    assert directory.key_by_uri(tx, "https://peer.test/users/bob#main-key") is None


def test_nobody_takes_over_another_actors_key_id(tx: Connection) -> None:
    bob = directory.upsert_remote(tx, _draft(), host="peer.test", now=NOW)
    theft = (KeyDraft("https://peer.test/users/bob#main-key", "ed25519", ED25519),)
    directory.upsert_remote(tx, _draft(uri="https://evil.test/m", keys=theft), host="evil.test", now=NOW)
    kept = directory.key_by_uri(tx, "https://peer.test/users/bob#main-key")
    assert kept is not None
    assert (kept.actor_id, kept.public_key) == (bob.id, RSA)


def test_keys_that_verify_nothing_are_not_stored(tx: Connection) -> None:
    keys = (KeyDraft("https://peer.test/k", "rsa", "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----"),)
    actor = directory.upsert_remote(tx, _draft(keys=keys), host="peer.test", now=NOW)
    assert directory.keys_of(tx, actor.id) == []


def test_a_new_actor_of_a_blocked_host_is_suspended_at_once(tx: Connection) -> None:
    moderation.block_host(tx, "peer.test", severity="block", now=NOW)
    actor = directory.upsert_remote(tx, _draft(), host="sub.peer.test", now=NOW)
    assert actor.suspended_at == NOW


def test_local_changes_grow_the_version_only_when_they_show(tx: Connection) -> None:
    alice = _local(tx)
    assert directory.update_local(tx, alice.id, default_visibility="unlisted").version == alice.version
    assert directory.update_local(tx, alice.id, name="A").version == alice.version + 1
    bob = directory.upsert_remote(tx, _draft(), host="peer.test", now=NOW)
    with pytest.raises(NotFound):
        directory.update_local(tx, bob.id, name="not ours to change")


def _status(tx: Connection, id_: int, author_id: int, **values: Any) -> None:
    columns = {"mentions": [], "tags": [], "emojis": [], "attachments": [], "conversation_id": id_, "visibility": 0}
    tx.execute(statuses.insert().values(id=id_, author_id=author_id, content="x", created_at=NOW, **(columns | values)))


def test_an_actor_that_is_gone_leaves_only_tombstones_and_true_counters(tx: Connection) -> None:
    alice = _local(tx)
    bob = directory.upsert_remote(tx, _draft(), host="peer.test", now=NOW)
    for id_, (follower, followee) in enumerate([(alice.id, bob.id), (bob.id, alice.id)]):
        tx.execute(
            insert(tx, follows).values(
                id=id_ + 1, follower_id=follower, followee_id=followee, accepted=True, created_at=NOW
            )
        )
    tx.execute(actors.update().values(followers_count=1, following_count=1))
    _status(tx, 10, alice.id, favourites_count=1, boosts_count=1, replies_count=1)
    _status(tx, 11, bob.id, in_reply_to_id=10, uri="https://peer.test/1", listed=True)
    _status(tx, 12, bob.id, boost_of_id=10, uri="https://peer.test/2")
    _status(tx, 13, alice.id, boost_of_id=11)
    tx.execute(insert(tx, favourites).values(id=1, actor_id=bob.id, status_id=10, created_at=NOW))

    directory.mark_gone(tx, bob.id, NOW)

    left = {row.id: row for row in tx.execute(select(statuses))}
    assert set(left) == {10, 11}
    assert (left[10].favourites_count, left[10].boosts_count, left[10].replies_count) == (0, 0, 0)
    assert (left[11].content, left[11].deleted_at, left[11].listed) == ("", NOW, False)
    assert tx.execute(select(follows)).all() == []
    assert tx.execute(select(actor_keys).where(actor_keys.c.actor_id == bob.id)).all() == []
    alice = directory.by_id(tx, alice.id)
    assert (alice.followers_count, alice.following_count) == (0, 0)
    gone = directory.by_id(tx, bob.id)
    assert gone is not None
    assert gone.deleted_at == NOW
