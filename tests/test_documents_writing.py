"""What we write, rule by rule: each rule is there because some server refuses, or misreads, anything else."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine, literal, select

from fediverse.documents import (
    PUBLIC,
    Picture,
    actor_document,
    collection,
    collection_page,
    dumps,
    instance_actor_document,
    key_document,
    note_document,
    ordered_collection,
    ordered_collection_page,
    read_activity,
    read_actor,
    read_collection,
    read_note,
    tombstone,
)
from fediverse.drafts import MentionDraft, Visibility
from fediverse.outbox import activities
from fediverse.remote.documents import ACCEPT, is_activity_type
from fediverse.signatures import SigningKey, content_digest, digest, generate_rsa, load_private, sign_cavage
from fediverse.urls import Urls

URLS = Urls("https://social.example", "example.com")
ALICE = "https://social.example/users/alice"
NOW = 1_780_315_200_000  # 2026-06-01T12:00:00Z
BOB = {
    "id": 2,
    "username": "bob",
    "host": "there.example",
    "uri": "https://there.example/users/bob",
    "url": "https://there.example/@bob",
}
CAROL = {"id": 3, "username": "Carol", "host": "", "uri": "x", "url": "x"}
PICTURE = {
    "type": "image",
    "media_type": "image/webp",
    "url": "https://social.example/media/1.webp",
    "preview_url": None,
    "description": "A cat",
    "blurhash": "UBL_:rOpGG-;",
    "width": 800,
    "height": 600,
}


def status(**changes: Any) -> Any:
    row = {
        "id": 77,
        "created_at": NOW,
        "edited_at": None,
        "visibility": 0,
        "content": "<p>Hello</p>",
        "spoiler_text": "",
        "sensitive": False,
        "language": "en",
        "mentions": [],
        "tags": [],
        "emojis": [],
        "attachments": [],
        "poll": None,
        "quote_policy": None,
        "quote_uri": None,
        "quote_authorization": None,
    }
    return SimpleNamespace(**{**row, **changes})


POLL = {
    "options": [{"title": "Tea", "votes": 1}, {"title": "Coffee", "votes": 2}],
    "multiple": False,
    "hide_totals": False,
    "expires_at": NOW,
    "closed": True,
    "voters": 3,
    "fetched_at": None,
}


def actor(**changes: Any) -> Any:
    row = {
        "id": 1,
        "username": "alice",
        "kind": "Person",
        "name": "Alice",
        "summary": "<p>Bread</p>",
        "locked": False,
        "discoverable": True,
        "indexable": True,
        "created_at": NOW,
        "also_known_as": [],
        "attribution_domains": [],
        "emojis": [],
        "fields": [],
        "sensitized_at": None,
    }
    return SimpleNamespace(**{**row, **changes})


KEYS: Any = [
    SimpleNamespace(algorithm="rsa", public_key="-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n"),
    SimpleNamespace(algorithm="ed25519", public_key="z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),
]


def note(*, parent_uri: str | None = None, **changes: Any) -> dict[str, Any]:
    return note_document(URLS, status(**changes), actor(), parent_uri=parent_uri)


def person(**changes: Any) -> dict[str, Any]:
    return actor_document(
        URLS,
        actor(**changes),
        KEYS,
        icon=Picture("https://social.example/media/a.webp", "image/webp"),
        image=Picture("https://social.example/media/h.jpg", "image/jpeg"),
    )


def everything_sent() -> dict[str, dict[str, Any]]:
    """One of each activity."""
    follow = activities.follow(URLS, "alice", 5, target_uri=BOB["uri"], published=NOW)
    received = activities.received_follow(URLS, "alice", uri="https://there.example/f/1", follower_uri=BOB["uri"])
    return {
        "create": activities.create(URLS, note()),
        "create question": activities.create(URLS, note(id=79, poll=POLL)),
        "vote": activities.vote(
            URLS,
            "alice",
            11,
            title="Tea",
            question_uri="https://there.example/notes/1",
            author_uri=BOB["uri"],
            published=NOW,
        ),
        "update": activities.update(URLS, note(edited_at=NOW), username="alice", activity_id=1, published=NOW),
        "update actor": activities.update(URLS, person(), username="alice", activity_id=2, published=NOW),
        "delete": activities.delete(URLS, "alice", ALICE + "/statuses/77", activity_id=3, published=NOW),
        "announce": activities.announce(
            URLS,
            "alice",
            78,
            object_uri="https://there.example/notes/1",
            author_uri=BOB["uri"],
            visibility=Visibility.PUBLIC,
            published=NOW,
        ),
        "undo": activities.undo(URLS, follow, username="alice", undo_id=4, published=NOW),
        "like": activities.like(
            URLS, "alice", 9, object_uri="https://there.example/notes/1", author_uri=BOB["uri"], published=NOW
        ),
        "follow": follow,
        "accept": activities.accept(URLS, "alice", received, activity_id=6, published=NOW),
        "reject": activities.reject(URLS, "alice", received, activity_id=7, published=NOW),
        "block": activities.block(URLS, "alice", 8, target_uri=BOB["uri"], published=NOW),
        "add": activities.add(URLS, "alice", ALICE + "/statuses/77", activity_id=9, published=NOW),
        "remove": activities.remove(URLS, "alice", ALICE + "/statuses/77", activity_id=10, published=NOW),
    }


SENT = everything_sent()
each_activity = pytest.mark.parametrize("activity", SENT.values(), ids=SENT.keys())


# 1. to 4.: HTTP.


def test_01_documents_are_json_in_utf8() -> None:
    body = dumps(note(content="<p>Grüße 🥐</p>"))
    assert "Grüße 🥐".encode() in body
    assert json.loads(body)["content"] == "<p>Grüße 🥐</p>"


def test_02_only_json_is_asked_for() -> None:
    assert "html" not in ACCEPT
    assert "*/*" not in ACCEPT
    assert all(is_activity_type(kind) for kind in re.split(r", (?=application)", ACCEPT))


def test_03_digests_are_spelt_as_their_dialects_have_them() -> None:
    assert digest(b"{}").startswith("SHA-256=")
    assert content_digest(b"{}").startswith("sha-256=:")


def test_04_the_signature_names_its_algorithm() -> None:
    key = SigningKey(ALICE + "#main-key", load_private(generate_rsa()[0]))
    headers = sign_cavage(key, "POST", "https://there.example/inbox", date=NOW / 1000, body=b"{}")
    assert 'algorithm="rsa-sha256"' in headers["Signature"]


# 5. to 13.: what all documents keep to.


def contexts() -> list[Any]:
    return [
        *(activity["@context"] for activity in SENT.values()),
        note()["@context"],
        person()["@context"],
        instance_actor_document(URLS, actor(username="social.example"), KEYS)["@context"],
        tombstone(ALICE)["@context"],
        ordered_collection(ALICE + "/outbox", total=0)["@context"],
        ordered_collection_page(ALICE + "/outbox?page=1", part_of=ALICE + "/outbox", items=[])["@context"],
    ]


def test_05_contexts_begin_with_activitystreams_and_invent_nothing() -> None:
    standard = ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"]
    for context in contexts():
        remote = [entry for entry in context if isinstance(entry, str)]
        assert remote == standard[: len(remote)]
        assert [type(entry) for entry in context] == [str] * len(remote) + [dict] * (len(context) - len(remote))


def test_05_every_extension_is_spelt_out() -> None:
    terms = person()["@context"][2]
    assert {"discoverable", "indexable", "featured", "PropertyValue", "Multikey", "webfinger"} <= terms.keys()
    prefixes = {"as", "toot", "schema", "sec"}
    for term in terms.values():
        name = term["@id"] if isinstance(term, dict) else term
        assert name.startswith("http") or name.split(":")[0] in prefixes


@pytest.mark.parametrize("visibility", [Visibility.PUBLIC, Visibility.UNLISTED])
def test_06_the_public_is_spelt_in_full(visibility: Visibility) -> None:
    written = note(visibility=int(visibility))
    assert [PUBLIC] == ["https://www.w3.org/ns/activitystreams#Public"]
    assert PUBLIC in written["to"] if visibility is Visibility.PUBLIC else PUBLIC in written["cc"]


def test_07_lists_are_arrays_with_one_entry_or_none() -> None:
    for written in (
        note(),
        note(visibility=3, mentions=[BOB], tags=[{"name": "x"}], attachments=[PICTURE]),
    ):
        for name in ("to", "cc", "tag", "attachment"):
            assert isinstance(written[name], list)
    for name in ("attachment", "tag", "alsoKnownAs", "assertionMethod"):
        assert isinstance(person()[name], list)


@each_activity
def test_07_activities_have_arrays(activity: dict[str, Any]) -> None:
    assert isinstance(activity["to"], list)
    assert isinstance(activity["cc"], list)


@pytest.mark.parametrize("visibility", list(Visibility))
def test_08_the_activity_is_addressed_as_its_object(visibility: Visibility) -> None:
    written = note(visibility=int(visibility), mentions=[BOB])
    created = activities.create(URLS, written)
    updated = activities.update(URLS, written, username="alice", activity_id=1, published=NOW)
    for activity in (created, updated):
        assert (activity["to"], activity["cc"]) == (written["to"], written["cc"])
        assert (activity["object"]["to"], activity["object"]["cc"]) == (written["to"], written["cc"])


@pytest.mark.parametrize(
    ("visibility", "to", "cc"),
    [
        (Visibility.PUBLIC, [PUBLIC], [ALICE + "/followers", BOB["uri"]]),
        (Visibility.UNLISTED, [ALICE + "/followers"], [PUBLIC, BOB["uri"]]),
        (Visibility.FOLLOWERS, [ALICE + "/followers"], [BOB["uri"]]),
        (Visibility.DIRECT, [BOB["uri"]], []),
    ],
)
def test_08_each_visibility_has_its_audience(visibility: Visibility, to: list[str], cc: list[str]) -> None:
    written = note(visibility=int(visibility), mentions=[BOB])
    assert (written["to"], written["cc"]) == (to, cc)


@each_activity
def test_09_the_actor_is_a_bare_string(activity: dict[str, Any]) -> None:
    assert activity["actor"] == ALICE


def test_10_objects_are_embedded_or_bare_as_their_activity_needs() -> None:
    for name in ("create", "update", "update actor"):
        assert SENT[name]["object"]["content" if name != "update actor" else "inbox"]
        assert "@context" not in SENT[name]["object"]
    for name in ("announce", "like", "delete", "follow", "block", "add", "remove"):
        assert isinstance(SENT[name]["object"], str)
    undone = SENT["undo"]["object"]
    assert undone == {name: value for name, value in SENT["follow"].items() if name != "@context"}
    assert note()["attributedTo"] == ALICE


def test_10_a_deleted_post_may_be_a_tombstone() -> None:
    deleted = activities.delete(
        URLS, "alice", ALICE + "/statuses/77", activity_id=3, to=[BOB["uri"]], former_type="Note"
    )
    assert deleted["object"] == {"id": ALICE + "/statuses/77", "type": "Tombstone", "formerType": "Note"}
    assert deleted["to"] == [BOB["uri"]]


@pytest.mark.parametrize("kind", ["accept", "reject"])
def test_11_the_follow_is_given_back_exactly(kind: str) -> None:
    received = {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": "https://there.example/f#1",
        "type": "Follow",
        "actor": {"id": BOB["uri"], "type": "Person"},
        "object": ALICE,
        "state": "pending",
    }
    answer = getattr(activities, kind)(URLS, "alice", received, activity_id=1)
    assert answer["object"] == {name: received[name] for name in ("id", "type", "actor", "object")}
    assert answer["to"] == [BOB["uri"]]
    assert SENT[kind]["object"]["id"] == "https://there.example/f/1"


def test_11_a_follow_without_an_id_is_given_back_without_one() -> None:
    received = activities.received_follow(URLS, "alice", uri=None, follower_uri=BOB["uri"])
    assert received == {"type": "Follow", "actor": BOB["uri"], "object": ALICE}


def test_11_our_follows_can_be_fetched_and_differ() -> None:
    one, other = (activities.follow(URLS, "alice", number, target_uri=BOB["uri"]) for number in (1, 2))
    assert one["id"] != other["id"]
    assert URLS.parse(one["id"]) is not None
    assert "#" not in one["id"]


def test_12_every_activity_has_an_id_of_ours() -> None:
    ids = [activity["id"] for activity in SENT.values()]
    assert len(set(ids)) == len(ids)
    assert all(URLS.is_local(id_) for id_ in ids)


def test_13_a_like_keeps_its_id_for_the_undo() -> None:
    first, second = (
        activities.like(URLS, "alice", 9, object_uri="https://there.example/notes/1", author_uri=BOB["uri"])
        for _ in range(2)
    )
    undo = activities.undo(URLS, second, username="alice", undo_id=1, published=NOW)
    assert undo["object"]["id"] == first["id"]
    assert undo["to"] == first["to"]


# 14. to 17.: actors and media.


def test_14_the_key_belongs_to_the_actor() -> None:
    for document, id_ in (
        (person(), ALICE),
        (key_document(URLS, actor(), KEYS), ALICE),
        (instance_actor_document(URLS, actor(username="social.example"), KEYS), "https://social.example/actor"),
    ):
        key = document["publicKey"]
        assert key["id"] == id_ + "#main-key"
        assert key["owner"] == document["id"] == id_
        assert key["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----")
        (multikey,) = document["assertionMethod"]
        assert multikey["type"] == "Multikey"
        assert multikey["controller"] == id_
        assert multikey["publicKeyMultibase"].startswith("z6Mk")


def test_15_everything_of_an_actor_is_on_its_host() -> None:
    document = person()
    endpoints = [document[name] for name in ("inbox", "outbox", "followers", "following", "featured")]
    for url in (*endpoints, document["endpoints"]["sharedInbox"]):
        assert url.startswith("https://social.example/")


def test_16_pictures_are_objects_and_addresses_plain() -> None:
    document = person()
    assert document["icon"] == {
        "type": "Image",
        "mediaType": "image/webp",
        "url": "https://social.example/media/a.webp",
    }
    assert document["image"]["mediaType"] == "image/jpeg"
    assert note()["url"] == "https://social.example/@alice/77"
    assert "icon" not in actor_document(URLS, actor(), KEYS)


def test_17_descriptions_are_given_twice() -> None:
    (attachment,) = note(attachments=[PICTURE])["attachment"]
    assert attachment["name"] == attachment["summary"] == "A cat"
    assert (attachment["type"], attachment["width"], attachment["blurhash"]) == ("Document", 800, "UBL_:rOpGG-;")
    (bare,) = note(attachments=[{**PICTURE, "description": "", "blurhash": None}])["attachment"]
    assert not {"name", "summary", "blurhash"} & bare.keys()


# 18. to 24.: Notes.


def test_18_times_are_utc_to_the_millisecond() -> None:
    assert note()["published"] == "2026-06-01T12:00:00.000Z"
    assert "updated" not in note()
    assert note(edited_at=NOW + 1)["updated"] == "2026-06-01T12:00:00.001Z"
    assert all(activity["published"].endswith("Z") for activity in SENT.values())


def test_19_there_is_a_warning_or_nothing() -> None:
    assert "summary" not in note()
    assert note()["sensitive"] is False
    warned = note(spoiler_text="Politics", sensitive=1)
    assert (warned["summary"], warned["sensitive"]) == ("Politics", True)


def test_20_mentions_are_named_in_full_and_addressed() -> None:
    written = note(mentions=[BOB, CAROL])
    assert [tag for tag in written["tag"] if tag["type"] == "Mention"] == [
        {"type": "Mention", "href": BOB["uri"], "name": "@bob@there.example"},
        {"type": "Mention", "href": "https://social.example/users/Carol", "name": "@Carol@example.com"},
    ]
    assert {BOB["uri"], "https://social.example/users/Carol"} <= set(written["cc"])


def test_20_mentions_may_be_rows() -> None:
    columns = [literal(value).label(name) for name, value in BOB.items()]
    with create_engine("sqlite://").connect() as connection:
        row = connection.execute(select(*columns)).one()
    written = note_document(URLS, status(), actor(), parent_uri=None, mentions=[row])
    assert written["tag"] == [{"type": "Mention", "href": BOB["uri"], "name": "@bob@there.example"}]


def test_21_hashtags_have_their_sign_and_a_page() -> None:
    assert note(tags=[{"name": "Brötchen"}])["tag"] == [
        {"type": "Hashtag", "href": "https://social.example/tags/br%C3%B6tchen", "name": "#Brötchen"}
    ]


def test_22_emojis_have_an_icon_and_a_time() -> None:
    (emoji,) = note(emojis=[{"shortcode": "cat", "url": "https://social.example/media/cat.gif"}])["tag"]
    assert emoji == {
        "id": None,
        "type": "Emoji",
        "name": ":cat:",
        "updated": "2026-06-01T12:00:00.000Z",
        "icon": {"type": "Image", "mediaType": "image/gif", "url": "https://social.example/media/cat.gif"},
    }


def test_23_fields_are_property_values() -> None:
    document = person(fields=[{"name": "Site", "value": "<a>x</a>", "verified_at": None}])
    assert document["attachment"] == [{"type": "PropertyValue", "name": "Site", "value": "<a>x</a>"}]
    assert document["@context"][2]["schema"] == "http://schema.org#"
    assert document["@context"][2]["PropertyValue"] == "schema:PropertyValue"


def test_24_replies_have_an_id_and_their_first_page_inline() -> None:
    written = note_document(
        URLS,
        status(),
        actor(),
        parent_uri=None,
        replies=[ALICE + "/statuses/78"],
        replies_next=ALICE + "/statuses/77/replies?page=2",
    )
    replies = written["replies"]
    assert (replies["id"], replies["type"]) == (ALICE + "/statuses/77/replies", "Collection")
    assert replies["first"] == {
        "type": "CollectionPage",
        "partOf": ALICE + "/statuses/77/replies",
        "items": [ALICE + "/statuses/78"],
        "next": ALICE + "/statuses/77/replies?page=2",
    }
    assert read_collection(replies).item_ids == (ALICE + "/statuses/78",)
    assert "replies" not in note(visibility=int(Visibility.FOLLOWERS))


def test_25_collections_tell_their_total_even_without_items() -> None:
    hidden = ordered_collection(ALICE + "/followers", total=12)
    assert hidden["totalItems"] == 12
    assert "first" not in hidden
    paged = ordered_collection(ALICE + "/followers", total=12, first=ALICE + "/followers?page=1", last=ALICE + "/x")
    assert (paged["type"], paged["first"], paged["last"]) == (
        "OrderedCollection",
        ALICE + "/followers?page=1",
        ALICE + "/x",
    )
    featured = ordered_collection(ALICE + "/featured", total=1, items=[note()])
    assert "@context" not in featured["orderedItems"][0]
    page = ordered_collection_page(
        ALICE + "/outbox?page=1",
        part_of=ALICE + "/outbox",
        items=[SENT["create"], "https://x.example/1"],
        next_="n",
        prev="p",
    )
    assert (page["type"], page["partOf"], page["next"], page["prev"]) == (
        "OrderedCollectionPage",
        ALICE + "/outbox",
        "n",
        "p",
    )
    assert page["orderedItems"][1] == "https://x.example/1"


# 26. and 27.


def test_26_what_is_deleted_leaves_a_tombstone() -> None:
    assert tombstone(ALICE + "/statuses/77", deleted=NOW) == {
        "@context": ["https://www.w3.org/ns/activitystreams"],
        "id": ALICE + "/statuses/77",
        "type": "Tombstone",
        "formerType": "Note",
        "deleted": "2026-06-01T12:00:00.000Z",
    }
    gone = activities.delete(URLS, "alice", ALICE, activity_id=1)
    assert gone["object"] == gone["actor"]
    assert gone["to"] == [PUBLIC]


@pytest.mark.parametrize("visibility", list(Visibility))
def test_27_what_is_for_single_people_names_no_collection(visibility: Visibility) -> None:
    """So that delivery can tell by to and cc alone what shared inboxes may take."""
    written = note(visibility=int(visibility), mentions=[BOB])
    for_many = {PUBLIC, ALICE + "/followers"} & {*written["to"], *written["cc"]}
    assert bool(for_many) == (visibility is not Visibility.DIRECT)


# What else a profile says, and both directions together.


def test_an_actor_says_all_that_the_profile_says() -> None:
    document = actor_document(
        URLS,
        actor(kind="Service", locked=True, also_known_as=["https://old.example/a"], name=""),
        KEYS,
        moved_to="https://new.example/a",
    )
    assert document["type"] == "Service"
    assert document["manuallyApprovesFollowers"] is True
    assert document["alsoKnownAs"] == ["https://old.example/a"]
    assert document["movedTo"] == "https://new.example/a"
    assert document["webfinger"] == "alice@example.com"
    assert document["name"] == "alice"
    assert document["published"] == "2026-06-01T12:00:00.000Z"
    assert document["url"] == "https://social.example/@alice"


def test_our_actors_read_as_what_they_are() -> None:
    document = person(fields=[{"name": "Site", "value": "x"}], attribution_domains=["bread.example"])
    document["icon"]["summary"] = "A <b>loaf</b>\n"
    draft = read_actor(json.loads(dumps(document)))
    assert (draft.avatar_description, draft.header_description) == ("A <b>loaf</b>", "")
    assert draft.attribution_domains == ("bread.example",)
    assert (draft.uri, draft.username, draft.webfinger) == (ALICE, "alice", "alice@example.com")
    assert (draft.inbox, draft.shared_inbox) == (ALICE + "/inbox", "https://social.example/inbox")
    assert (draft.followers_uri, draft.featured_uri) == (ALICE + "/followers", ALICE + "/featured")
    assert [(key.uri, key.algorithm) for key in draft.keys] == [
        (ALICE + "#main-key", "rsa"),
        (ALICE + "#ed25519-key", "ed25519"),
    ]
    assert draft.fields == ({"name": "Site", "value": "x"},)
    assert (draft.discoverable, draft.indexable, draft.locked) == (True, True, False)
    assert draft.avatar == "https://social.example/media/a.webp"
    assert draft.published_at == NOW
    instance = read_actor(instance_actor_document(URLS, actor(username="social.example"), KEYS))
    assert (instance.kind, instance.username) == ("Application", "social.example")


@pytest.mark.parametrize("visibility", list(Visibility))
def test_our_notes_read_as_what_they_are(visibility: Visibility) -> None:
    written = note(
        parent_uri="https://there.example/notes/1",
        visibility=int(visibility),
        mentions=[BOB],
        tags=[{"name": "Bread"}],
        attachments=[PICTURE],
        emojis=[{"shortcode": "cat", "url": "https://social.example/media/cat.png"}],
        spoiler_text="Food",
        edited_at=NOW + 5,
    )
    draft = read_note(json.loads(dumps(written)), received_at=NOW + 10)
    assert draft.visibility is visibility
    assert draft.to_followers is (visibility is not Visibility.DIRECT)
    assert draft.audience == (BOB["uri"],)
    assert draft.mentions == (MentionDraft(BOB["uri"], "bob", "there.example"),)
    assert draft.tags == ("Bread",)
    assert draft.attachments == (PICTURE,)
    assert (draft.spoiler_text, draft.sensitive, draft.language) == ("Food", True, "en")
    assert (draft.published_at, draft.updated_at) == (NOW, NOW + 5)
    assert (draft.uri, draft.url) == (ALICE + "/statuses/77", "https://social.example/@alice/77")
    assert (draft.author_uri, draft.in_reply_to_uri) == (ALICE, "https://there.example/notes/1")
    assert draft.content == "<p>Hello</p>"


@each_activity
def test_our_activities_read_as_what_they_are(activity: dict[str, Any]) -> None:
    draft = read_activity(json.loads(dumps(activity)))
    assert (draft.type, draft.id, draft.actor_uri) == (activity["type"], activity["id"], ALICE)
    assert (list(draft.to), list(draft.cc)) == (activity["to"], activity["cc"])
    assert draft.published_at == NOW
    about = activity["object"]
    assert draft.object_uri == (about if isinstance(about, str) else about["id"])
    assert draft.target_uri == activity.get("target")


def test_add_and_remove_name_the_featured_collection() -> None:
    assert SENT["add"]["target"] == SENT["remove"]["target"] == ALICE + "/featured"


def test_a_boost_tells_its_author_and_keeps_to_its_visibility() -> None:
    assert SENT["announce"]["id"] == ALICE + "/statuses/78/activity"
    assert (SENT["announce"]["to"], SENT["announce"]["cc"]) == ([PUBLIC], [ALICE + "/followers", BOB["uri"]])


def test_collections_of_ids() -> None:
    assert collection("https://social.example/c", items=["https://x.example/1"])["@context"]
    page = collection_page("https://social.example/c?page=2", part_of="https://social.example/c", items=[], next_="n")
    assert (page["type"], page["items"], page["next"]) == ("CollectionPage", [], "n")
