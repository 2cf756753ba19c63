"""What the instance says of itself at length: about it, its privacy policy, its terms."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web
from markupsafe import Markup
from sqlalchemy import Connection

from fediverse import instance
from fediverse.clock import rfc3339
from fediverse.errors import NotFound
from fediverse.instance import InstanceText, TextName
from fediverse.text.paragraphs import from_paragraphs
from fediverse.web import render
from fediverse.web.visit import Visit, read

routes = web.RouteTableDef()

_HEADINGS: Final[dict[TextName, str]] = {
    "extended_description": "About",
    "privacy_policy": "Privacy policy",
    "terms_of_service": "Terms of service",
}
_NOT_WRITTEN: Final = "Those who run this server have not written anything here."


@routes.get("/about")
async def about(request: web.Request) -> web.Response:
    """Who runs the instance, its rules, and what it is at length, if that was written."""
    return await _show(request, "extended_description", needed=False)


@routes.get("/privacy-policy")
async def privacy_policy(request: web.Request) -> web.Response:
    """What becomes of what the instance knows of people."""
    return await _show(request, "privacy_policy")


@routes.get("/terms-of-service")
async def terms_of_service(request: web.Request) -> web.Response:
    """The terms that hold now; those that will hold first where none do yet."""
    return await _show(request, "terms_of_service")


async def _show(request: web.Request, name: TextName, *, needed: bool = True) -> web.Response:
    def work(tx: Connection, visit: Visit) -> dict[str, Any]:
        versions = {which: instance.texts(tx, which) for which in _HEADINGS}
        today = rfc3339(visit.now)[:10]
        shown = _current(versions[name], today)
        if shown is None and needed:
            raise NotFound(_NOT_WRITTEN)
        return {
            # Made here of escaped text.
            "content": Markup(from_paragraphs(shown["source"])) if shown is not None else "",  # noqa: S704
            "since": shown["effective"] if shown is not None and name == "terms_of_service" else "",
            "others": [
                (f"/{which.replace('_', '-')}", _HEADINGS[which])
                for which in ("privacy_policy", "terms_of_service")
                if which != name and versions[which]
            ],
        }

    visit, found = await read(request, work, full=False)
    heading, is_about = _HEADINGS[name], name == "extended_description"
    return render.page(visit, "about.html", heading=heading, is_about=is_about, **found)


def _current(versions: list[InstanceText], today: str) -> InstanceText | None:
    return next((version for version in versions if version["effective"] <= today), versions[-1] if versions else None)
