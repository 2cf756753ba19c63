"""What is about to be stored: the shapes between the edges, where texts and documents come in, and the domain.

A document that was read (``documents``) and a form that was sent (``api``, ``web``) become the same drafts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Literal, NotRequired, TypedDict

from fediverse.clock import Instant

MAX_ATTACHMENTS: Final = 4
"""Files of one post that is written here."""

MAX_DESCRIPTION: Final = 1_500
"""Characters of the description of a file."""


class Visibility(IntEnum):
    """Who may see a status. Stored as the number."""

    PUBLIC = 0
    UNLISTED = 1  # Mastodon's "quiet public": on pages, not in public timelines
    FOLLOWERS = 2  # "private" in the client API
    DIRECT = 3

    @property
    def is_public(self) -> bool:
        """Whether anybody may see it."""
        return self <= Visibility.UNLISTED


class MediaFacts(TypedDict, total=False):
    """What is known of a file beyond its size on the screen; what is not known is left out."""

    focus: list[float]  # the point that stays in view when the picture is cropped: -1 to 1, right and up
    small: list[int]  # width and height of the preview
    size: int  # bytes
    duration: float  # seconds
    frame_rate: str  # a fraction: 30/1
    bitrate: int
    audio_encode: str
    audio_bitrate: str
    audio_channels: str


class AttachmentDraft(TypedDict):
    """A picture, video or sound that belongs to a status.

    Files that are kept here have an id, and storage keys in place of addresses.
    """

    type: str  # image, video, gifv, audio or unknown
    media_type: str
    url: str
    preview_url: str | None
    description: str
    blurhash: str | None
    width: int | None
    height: int | None
    facts: NotRequired[MediaFacts]
    id: NotRequired[int]
    key: NotRequired[str]
    preview_key: NotRequired[str | None]


class EmojiDraft(TypedDict):
    """A custom emoji, by its shortcode without colons.

    Those of this instance have no ``url`` but the storage keys of a picture and of one that does not move.
    """

    shortcode: str
    url: str
    key: NotRequired[str]
    still: NotRequired[str]


class PollParams(TypedDict):
    """A poll that is to be asked, open for ``expires_in`` seconds from then on."""

    options: list[str]
    expires_in: int
    multiple: bool
    hide_totals: bool


class PollOption(TypedDict):
    """One of the things that can be voted for, and how many did."""

    title: str
    votes: int


class Poll(TypedDict):
    """A poll as a status keeps it.

    ``closed`` says that its end was noticed and told, which may be a moment after ``expires_at``. ``voters`` is None
    where the author's server does not tell; ``fetched_at`` is when that server told last, None for what is of this one.
    """

    options: list[PollOption]
    multiple: bool
    hide_totals: bool
    expires_at: Instant | None
    closed: bool
    voters: int | None
    fetched_at: Instant | None


QuoteState = Literal["", "pending", "accepted", "rejected", "revoked"]
"""Whether the author of what a status quotes agrees; empty for a status that quotes nothing."""


class QuotePolicy(TypedDict):
    """Who may quote a post: at once, and after its author was asked (FEP-044f, ``interactionPolicy.canQuote``).

    Each holds some of ``public``, ``followers``, ``following`` and ``unsupported_policy``.
    """

    automatic: list[str]
    manual: list[str]


@dataclass(frozen=True, slots=True)
class MentionDraft:
    """Somebody named in a Note: by actor id where the tag had one, else by handle."""

    uri: str | None
    username: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """A status about to be created or edited.

    ``uri`` is None for what is posted here. ``text`` is set for what is posted here, ``content`` (cleaned HTML) for
    what came from elsewhere; local content is rendered from the text once its mentions are known.
    """

    text: str = ""
    content: str = ""
    spoiler_text: str = ""
    title: str = ""
    sensitive: bool = False
    language: str | None = None
    visibility: Visibility = Visibility.PUBLIC
    kind: str = "Note"
    uri: str | None = None
    url: str | None = None
    author_uri: str = ""
    in_reply_to_uri: str | None = None
    in_reply_to_id: int | None = None
    published_at: Instant | None = None
    updated_at: Instant | None = None
    mentions: tuple[MentionDraft, ...] = ()
    # Actor ids in to and cc beside the public collection and follower collections.
    audience: tuple[str, ...] = ()
    # Whether the author's followers collection is addressed.
    to_followers: bool = False
    tags: tuple[str, ...] = ()
    emojis: tuple[EmojiDraft, ...] = ()
    attachments: tuple[AttachmentDraft, ...] = ()
    poll: Poll | None = None
    # Uploads of the author that become its attachments, in this order.
    media_ids: tuple[int, ...] = ()
    # What it quotes: by id here for what is posted here, by ActivityPub id for what was received.
    quote_of_id: int | None = None
    quote_uri: str | None = None
    quote_authorization: str | None = None
    quote_policy: QuotePolicy | None = None
    idempotency_key: str | None = None
    app_name: str = ""
    app_url: str | None = None


class FieldDraft(TypedDict):
    """A line of a profile: for remote actors ``value`` is cleaned HTML."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """A public key that an actor document lists."""

    uri: str
    algorithm: str  # rsa or ed25519
    public_key: str  # PEM or Multibase


@dataclass(frozen=True, slots=True)
class ActorDraft:
    """A remote actor as its document describes it; everything cleaned and capped."""

    uri: str
    kind: str
    username: str
    host: str  # of the id; the handle's host is confirmed by WebFinger
    inbox: str
    webfinger: str | None = None  # FEP-2c59, to be confirmed
    name: str = ""
    summary: str = ""
    url: str | None = None
    shared_inbox: str | None = None
    outbox: str | None = None
    followers_uri: str | None = None
    following_uri: str | None = None
    featured_uri: str | None = None
    avatar: str | None = None
    header: str | None = None
    avatar_description: str = ""
    header_description: str = ""
    attribution_domains: tuple[str, ...] = ()
    fields: tuple[FieldDraft, ...] = ()
    emojis: tuple[EmojiDraft, ...] = ()
    also_known_as: tuple[str, ...] = ()
    moved_to: str | None = None
    locked: bool = False
    discoverable: bool = False
    indexable: bool = False
    published_at: Instant | None = None
    keys: tuple[KeyDraft, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ActivityDraft:
    """An activity as received: ids as they stand, embedded objects kept as they came.

    ``object_uri`` is None when the object has no id; ``object`` is None when only its id was sent. ``objects`` holds
    every entry when the property was an array.
    """

    type: str
    id: str | None
    actor_uri: str
    object_uri: str | None = None
    object_type: str = ""
    object: dict[str, object] | None = None
    target_uri: str | None = None
    # Of a QuoteRequest the post that quotes; of its Accept the authorization.
    instrument_uri: str | None = None
    result_uri: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    published_at: Instant | None = None
    objects: tuple[str | dict[str, Any], ...] = ()
    content: str = ""  # of a Flag: why
