"""What strangers ask for: the actor document, WebFinger, the profile page."""

from __future__ import annotations

from urllib.parse import quote

from benchmarks.client import drive
from benchmarks.identity import ACTIVITY_JSON, plain, signed_get
from benchmarks.reading import repeated
from benchmarks.report import Figure
from benchmarks.stage import ACCOUNT, Setting, Stage, checked, stage

_POSTS = 25


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """All of them, of an account with some posts."""
    async with stage(setting) as place:
        return await all_of(place)


async def all_of(place: Stage) -> dict[str, list[Figure]]:
    """Each asked for again and again."""
    asker = place.hosts.peers("shared", 1)[0]
    await place.meet([asker])
    posts = [place.post(f"Post {number} on the profile, with #benchmark in it") for number in range(_POSTS)]
    checked(await drive(place.client, posts), _POSTS)
    url = place.server.url
    finger = f"{url}/.well-known/webfinger?resource={quote('acct:' + place.handle[1:])}"
    requests = {
        "actor": {
            "actor document": plain("GET", place.uri, headers={"Accept": ACTIVITY_JSON}),
            "actor document, signed": signed_get(place.uri, asker, place.keys.of(asker.name)),
        },
        "webfinger": {"WebFinger": plain("GET", finger, headers={"Accept": "application/jrd+json"})},
        "profile": {"profile page": plain("GET", f"{url}/@{ACCOUNT}", headers={"Accept": "text/html"})},
    }
    found: dict[str, list[Figure]] = {}
    for name, asked in requests.items():
        found[name] = [
            figure for what, request in asked.items() for figure in await repeated(place, what, request, bound=name)
        ]
    return found
