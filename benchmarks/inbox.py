"""The inbox: activities verified, stored durably, answered, and applied until they show in timelines."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Iterator

from benchmarks import rows
from benchmarks.client import drive
from benchmarks.identity import Document, Peer, activity, note
from benchmarks.report import TIMES, Figure
from benchmarks.server import BenchmarkError
from benchmarks.stage import Setting, Stage, checked, figure, stage

_AT_ONCE = 8
_OWN_POSTS = 20
_PAGE = 40
HASHTAG = "benchmark"
_MISSES = 10
# Replies to others are to a post that came so many posts ago: it is known by then.
_AGO = 200


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """Notes into an empty database, a natural mix, and both again into a full one."""
    async with stage(setting) as place:
        authors = await friends(place)
        empty = await notes(place, authors, "Notes, half mentioning, empty database")
        mixed = await mix(place, authors, "mix of Notes, replies, likes, boosts")
        rows.multiply_notes(place.server.database, place.sizes.stored)
        stored = rows.stored_notes(place.server.database)
        full = await notes(place, authors, f"Notes, half mentioning, {stored} stored")
        mixed_full = await mix(place, authors, f"the mix, {stored} stored")
        growth = Figure(
            f"cost with {stored} stored : empty",
            full.value / empty.value,
            TIMES,
            bound="flat",
            contended=full.contended or empty.contended,
        )
        return {"inbox": [empty, mixed, full, mixed_full, growth]}


async def friends(place: Stage) -> list[Peer]:
    """The authors of all that comes in: known to the server, and followed by the account."""
    authors = place.hosts.peers("shared", place.sizes.authors)
    await place.befriend(authors)
    return authors


async def notes(place: Stage, authors: list[Peer], what: str) -> Figure:
    """Create{Note}, every second one mentioning the account; all of them show in its home timeline."""
    run_, count = secrets.token_hex(4), place.sizes.deliveries
    requests = [place.delivery(author, create) for author, create in _creates(place, authors, run_, count)]
    driven, reading = await place.measured(requests, at_once=_AT_ONCE)
    checked(driven, count)
    home = await _shown(place, "/api/v1/timelines/home", run_, count)
    mentions = await _shown(place, "/api/v1/notifications?types[]=mention", run_, count // 2)
    return figure(what, driven, reading, count=count, bound="inbox", shown_in_home=home, shown_in_mentions=mentions)


async def fill(place: Stage, count: int) -> None:
    """The account has at least ``count`` posts in its home timeline, half of them mentioning it, all with a hashtag."""
    authors = await friends(place)
    made = _creates(place, authors, "fill", count)
    for author, create in made:
        tag = {"type": "Hashtag", "name": f"#{HASHTAG}", "href": f"{author.base}/tags/{HASHTAG}"}
        create["object"]["tag"].append(tag)
    requests = [place.delivery(author, create) for author, create in made]
    checked(await drive(place.client, requests, at_once=_AT_ONCE), count)
    await place.tree.quiet()
    await _shown(place, "/api/v1/timelines/home", "fill", count)


async def like(place: Stage, count: int) -> None:
    """All authors like ``count`` posts of the account, so that it is told of each in one group."""
    authors = place.hosts.peers("shared", place.sizes.authors)
    own = [await place.json(place.post(f"To be liked, number {number}")) for number in range(count)]
    likes = [
        place.delivery(author, activity(author, "Like", f"liked-{number}", post["uri"]))
        for number, post in enumerate(own)
        for author in authors
    ]
    checked(await drive(place.client, likes, at_once=_AT_ONCE), len(likes))
    await place.tree.quiet()
    page = await place.json(place.get("/api/v2/notifications?types[]=favourite"))
    told = [group["notifications_count"] for group in page["notification_groups"]]
    if told != [len(authors)] * count:
        raise BenchmarkError(f"The account is told of {told} likes, not of {count} times {len(authors)}.")


def _creates(place: Stage, authors: list[Peer], run_: str, count: int) -> list[tuple[Peer, Document]]:
    found = []
    for number in range(count):
        author = authors[number % len(authors)]
        # Every author mentions now and then: by turns of the whole circle, not by every second author.
        mentioned = _named(place) if (number + number // len(authors)) % 2 else None
        made = note(author, f"{run_}-{number}", mentions=mentioned)
        found.append((author, activity(author, "Create", f"{run_}-{number}", made)))
    return found


def _named(place: Stage) -> tuple[str, str]:
    return place.uri, place.handle


async def mix(place: Stage, authors: list[Peer], what: str) -> Figure:
    """What a server gets on an ordinary day. Of twenty: nine Notes, four replies, four likes, three boosts.

    One boost of three is of a post that was not heard of before, and is fetched.
    """
    run_, count = secrets.token_hex(4), place.sizes.deliveries
    own = [await place.json(place.post(f"Something to answer, number {number}")) for number in range(_OWN_POSTS)]
    made = list(itertools.islice(_mixed(place, authors, [post["uri"] for post in own], run_), count))
    requests = [place.delivery(author, document) for author, document, _ in made]
    await place.peers.reset()
    driven, reading = await place.measured(requests, at_once=_AT_ONCE)
    checked(driven, count)
    kinds = Counter(kind for _, _, kind in made)
    home = await _shown(place, "/api/v1/timelines/home", run_, kinds["note"] + kinds["reply"])
    after = [await place.json(place.get(f"/api/v1/statuses/{post['id']}")) for post in own]
    promised = {"likes": kinds["like"], "boosts": kinds["boost"]}
    told = {
        "likes": sum(post["favourites_count"] for post in after),
        "boosts": sum(post["reblogs_count"] for post in after),
    }
    fetched = (await place.peers.records())["asked"].get("note", 0)
    if told != promised or fetched < kinds["boost of new"]:
        raise BenchmarkError(f"The mix had {dict(kinds)}, but the server counts {told} and fetched {fetched}.")
    return figure(what, driven, reading, count=count, bound="inbox", shown_in_home=home, fetched=fetched, **told)


_MIX = (
    "note", "reply", "like", "note", "boost", "note", "like", "reply", "note", "note",
    "like", "note", "boost", "note", "reply", "like", "note", "reply", "note", "new",
)  # fmt: skip


def _mixed(place: Stage, authors: list[Peer], own: list[str], run_: str) -> Iterator[tuple[Peer, Document, str]]:
    """(author, activity, what it is) without end; nobody likes or boosts anything twice."""
    turns: Counter[tuple[str, str]] = Counter()
    written: list[str] = []
    for number, kind in enumerate(itertools.cycle(_MIX)):
        author, serial = authors[number * 7 % len(authors)], f"{run_}-{number}"
        turn = turns[author.uri, kind]
        turns[author.uri, kind] += 1
        match kind:
            case "note" | "reply":
                parent = None
                if kind == "reply":
                    parent = own[turn % len(own)] if turn % 2 or len(written) < _AGO else written[-_AGO]
                made = note(author, serial, mentions=_named(place) if turn % 4 == 0 else None, in_reply_to=parent)
                written.append(made["id"])
                yield author, activity(author, "Create", serial, made), kind
            case "like" | "boost":
                if turn >= len(own):
                    continue
                name = "Like" if kind == "like" else "Announce"
                yield author, activity(author, name, serial, own[turn]), kind
            case "new":
                elsewhere = place.hosts.peers("shared", 1, first=len(authors) + number)[0]
                yield author, activity(author, "Announce", serial, f"{elsewhere.uri}/notes/{serial}"), "boost of new"


async def _shown(place: Stage, path: str, run_: str, expected: int) -> int:
    """How many Notes of the run the API lists, from the newest backwards. Raises BenchmarkError when some miss."""
    found: set[str] = set()
    more = "&" if "?" in path else "?"
    bound, misses = "", 0
    # Boosts stand between them, and posts of one second are in no order: a page without any is not yet the end.
    while len(found) < expected and misses < _MISSES:
        page = await place.json(place.get(f"{path}{more}limit={_PAGE}{bound}"))
        if not page:
            break
        listed = [entry.get("status") or entry for entry in page]
        seen = {status["uri"] for status in listed if f"/notes/{run_}-" in status["uri"]}
        misses = 0 if seen else misses + 1
        found |= seen
        bound = f"&max_id={page[-1]['id']}"
    if len(found) < expected:
        raise BenchmarkError(f"{path} shows {len(found)} of {expected} Notes.")
    return len(found)
