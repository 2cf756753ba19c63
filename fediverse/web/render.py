"""From what a unit of work found to a page: the templates, and what they call.

Templates are compiled once and kept. A post as anybody sees it is rendered once per version of the post, its author
and its booster: most of a public page is put together from such pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote
from zlib import crc32

import regex
from aiohttp import hdrs, web
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from sqlalchemy import Row

from fediverse import entities, keys
from fediverse.clock import rfc3339, to_datetime
from fediverse.documents import host_of, titles
from fediverse.drafts import Visibility
from fediverse.entities import StatusView
from fediverse.site import Recent
from fediverse.templating import FOLDER
from fediverse.text import LIMIT, display_host, excerpt, fold_tag
from fediverse.web import headers
from fediverse.web.static import asset
from fediverse.web.visit import Visit, cookies_of

_KEPT_POSTS: Final = 2048
_FOLD_ABOVE: Final = 700  # characters of HTML; a Note made here has at most 140 of text
_TONES: Final = 6
# A tag of nh3's output as a whole: a quoted attribute may hold ">".
_TAG_OR_EMOJI: Final = regex.compile(r'<(?:[^"<>]|"[^"]*")*>|:([A-Za-z0-9_]{1,64}):')
_VISIBILITY_WORDS: Final = {
    Visibility.PUBLIC: ("globe", "Public"),
    Visibility.UNLISTED: ("moon", "Unlisted: not in public timelines"),
    Visibility.FOLLOWERS: ("lock", "Followers only"),
    Visibility.DIRECT: ("mail", "Only for those who are mentioned"),
}


def environment(*, cache: BytecodeCache | None = None) -> Environment:
    """The templates: autoescaped, strict about names, compiled once."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        auto_reload=False,
        cache_size=-1,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=cache,
    )
    kept = Recent(_KEPT_POSTS)
    made.globals.update(
        asset=asset,
        logo=logo,
        limit=LIMIT,
        post=lambda visit, view, **options: _post(made, kept, visit, view, **options),
        # Joined here: a call from a template costs more than taking a post out of the memory.
        posts=lambda visit, views: Markup("").join([_post(made, kept, visit, view) for view in views]),
        avatar=avatar,
        avatar_class=avatar_class,
        initial=initial,
        display_name=display_name,
        handle=handle,
        host_of=host_of,
        profile_path=profile_path,
        post_path=post_path,
        picture_path=picture_path,
        media_paths=media_paths,
        shown_picture=shown_picture,
        content=content,
        is_long=is_long,
        is_sensitive=is_sensitive,
        summary=summary,
        feed_html=feed_html,
        tag_path=tag_path,
        visibility=visibility_words,
    )
    made.filters.update(excerpt=short, when=when, moment=rfc3339, number=number, plain_lines=plain_lines)
    return made


def page(
    visit: Visit,
    template: str,
    *,
    status: int = 200,
    response_headers: Mapping[str, str] | None = None,
    form_target: str | None = None,
    **context: Any,
) -> web.Response:
    """The page, with the form cookie if its forms need one. Nothing that depends on the reader is left to caches."""
    text = visit.request.app[keys.TEMPLATES].get_template(template).render(visit=visit, **context)
    response = web.Response(text=text, content_type="text/html", status=status, headers=response_headers)
    if form_target is not None:
        headers.allow_form_target(response, form_target)
    if visit.form_value is not None:
        cookies_of(visit.request).set_form(response, visit.form_value)
    response.headers.setdefault(hdrs.CACHE_CONTROL, "private, no-store")
    return response


def public_page(visit: Visit, template: str, *, link: str = "", **context: Any) -> web.Response:
    """A page that anybody may see: a browser may keep it if it asks whether it changed.

    ``link`` is the ActivityPub id that the page is for.
    """
    response = page(visit, template, **context)
    response.headers[hdrs.VARY] = "Accept, Cookie"
    if link:
        response.headers[hdrs.LINK] = f'<{link}>; rel="alternate"; type="application/activity+json"'
    if visit.credentials is not None or visit.form_value is not None or visit.csrf:
        return response
    # Python's own hash (keyed, 64 bits) is quick and, unlike hashlib, does not hand the interpreter to another thread,
    # which costs more than hashing. Another process makes other tags: there the page is sent again.
    tag = f'W/"{hash(response.text) & 0xFFFFFFFFFFFFFFFF:016x}"'
    response.headers[hdrs.CACHE_CONTROL] = "no-cache"
    response.headers[hdrs.ETAG] = tag
    if tag in visit.request.headers.get(hdrs.IF_NONE_MATCH, ""):
        kept = (hdrs.CACHE_CONTROL, hdrs.ETAG, hdrs.VARY, hdrs.LINK)
        return web.Response(status=304, headers={n: response.headers[n] for n in kept if n in response.headers})
    return response


def _post(env: Environment, kept: Recent, visit: Visit, view: StatusView, *, focus: bool = False) -> Markup:
    """The post as the visitor sees it; ``focus`` when the page is about it."""
    inner = view.boost or view
    public = visit.viewer_id is None and not focus
    key = (
        inner.status.id,
        inner.status.version,
        inner.author.version,
        view.status.id,
        view.author.version,
        inner.poll_ended,
    )
    if public and (known := kept.get(key)) is not None:
        return cast(Markup, known)
    made = Markup(  # noqa: S704 the output of a template that escapes
        env.get_template("_post.html").render(
            visit=visit, view=inner, booster=view.author if view.boost is not None else None, focus=focus
        )
    )
    if public:
        kept.put(key, made)
    return made


def fragment(visit: Visit, view: StatusView) -> web.Response:
    """One post alone, for a script that puts it in place of the one that was acted on."""
    environment_ = visit.request.app[keys.TEMPLATES]
    made = environment_.get_template("_post.html").render(visit=visit, view=view, booster=None, focus=False)
    return web.Response(text=made, content_type="text/html", headers={hdrs.CACHE_CONTROL: "private, no-store"})


def avatar(visit: Visit, actor: Row[Any]) -> str | None:
    """The path of the actor's picture; None where there is none, so that its initial is shown."""
    if not actor.avatar or actor.suspended_at is not None:
        return None
    return visit.site.avatar_url(actor).removeprefix(visit.urls.base_url)


def avatar_class(actor: Row[Any]) -> str:
    """Organizations are square, people round; without a picture, one of a few tones that stays the same."""
    shape = "square" if actor.kind in {"Organization", "Group"} else "round"
    return f"avatar {shape} tone-{crc32(actor.username_folded.encode()) % _TONES}"


def initial(actor: Row[Any]) -> str:
    """The first letter of the name."""
    return next((c for c in f"{actor.name}{actor.username}" if c.isalnum()), "?").upper()


def display_name(actor: Row[Any]) -> str:
    """The name that the actor chose, else its user name."""
    return actor.name.strip() or str(actor.username)


def handle(visit: Visit, actor: Row[Any]) -> str:
    """``@name@host`` in full, the host as people read it."""
    return f"@{actor.username}@{display_host(actor.host or visit.urls.domain)}"


def profile_path(actor: Row[Any]) -> str:
    """The actor's page here."""
    return f"/@{actor.username}@{actor.host}" if actor.host else f"/@{actor.username}"


def post_path(view: StatusView) -> str:
    """The post's page here."""
    return f"{profile_path(view.author)}/{view.status.id}"


def picture_path(visit: Visit, url: str) -> str:
    """A remote picture, through the proxy."""
    return visit.site.proxied(url).removeprefix(visit.urls.base_url)


def media_paths(visit: Visit, entry: dict[str, Any]) -> tuple[str, str | None]:
    """Where a file of a post is shown from, and its preview; a path, unless it plays on its own server only."""
    base, preview = visit.urls.base_url, entities.preview_address(entry, visit.site)
    return entities.address(entry, visit.site).removeprefix(base), preview and preview.removeprefix(base)


def shown_picture(visit: Visit, view: StatusView) -> str:
    """The picture by which others show a link to the post: its first one, unless that is sensitive; the author's."""
    if not is_sensitive(visit, view):
        for entry in view.status.attachments:
            picture = entities.preview_address(entry, visit.site)
            if picture is not None:
                return picture
    return visit.site.avatar_url(view.author)


def tag_path(name: str) -> str:
    """A hashtag's page."""
    return f"/tags/{quote(fold_tag(name), safe='')}"


def content(visit: Visit, status: Row[Any]) -> Markup:
    """The post's HTML, which was cleaned when it was stored, with its custom emoji as pictures."""
    html = str(status.content)
    if not status.emojis or ":" not in html:
        return Markup(html)  # noqa: S704 cleaned when stored
    pictures = {emoji["shortcode"]: _emoji_path(visit, emoji) for emoji in status.emojis}

    def show(match: regex.Match[str]) -> str:
        url = pictures.get(match[1]) if match[1] else None
        if url is None:
            return str(match[0])
        name = escape(match[0])
        return f'<img class="emoji" src="{escape(url)}" alt="{name}" title="{name}" loading="lazy">'

    return Markup(_TAG_OR_EMOJI.sub(show, html))  # noqa: S704 cleaned when stored


def _emoji_path(visit: Visit, emoji: dict[str, Any]) -> str:
    return visit.site.urls.media(emoji["key"]) if emoji.get("key") else picture_path(visit, emoji["url"])


@lru_cache(maxsize=4096)
def short(html: str, length: int) -> str:
    """The first so many characters of the HTML's text. Kept: the same profiles and posts are shown again and again."""
    return excerpt(html, length)


def summary(status: Row[Any], length: int) -> str:
    """The post in at most so many characters of plain text: its content warning where it has one."""
    if not status.spoiler_text:
        return short(status.content, length)
    words = " ".join(status.spoiler_text.split())
    return words if len(words) <= length else words[: length - 1].rstrip() + "…"


def feed_html(visit: Visit, status: Row[Any]) -> str:
    """The post's HTML for a feed reader, which knows nothing of content warnings, titles or polls."""
    above = "".join(f"<p><strong>{escape(text)}</strong></p>" for text in (status.spoiler_text, status.title) if text)
    asked = "".join(f"<li>{escape(title)}</li>" for title in titles(status.poll))
    files = "".join(_feed_file(visit, entry) for entry in status.attachments)
    return f"{above}{status.content}{f'<ul>{asked}</ul>' if asked else ''}{files}"


def _feed_file(visit: Visit, entry: dict[str, Any]) -> str:
    address, words = escape(entities.address(entry, visit.site)), escape(entry["description"])
    if entry["type"] == "image":
        return f'<p><img src="{address}" alt="{words}"></p>'
    if entry["type"] in ("video", "gifv"):
        poster = entities.preview_address(entry, visit.site)
        shown = f' poster="{escape(poster)}"' if poster else ""
        return f'<p><video src="{address}"{shown} controls></video></p>' + (f"<p>{words}</p>" if words else "")
    return f'<p><a href="{address}">{words or "File"}</a></p>'


def is_sensitive(visit: Visit, view: StatusView) -> bool:
    """Whether the post's media are hidden at first: as its author says, or moderators of all that author's posts."""
    forced = view.author.sensitized_at is not None and view.author.id != visit.viewer_id
    return forced or bool(view.status.sensitive)


def is_long(status: Row[Any]) -> bool:
    """Whether the post is folded in lists."""
    return len(status.content) > _FOLD_ABOVE and not status.local


def visibility_words(status: Row[Any]) -> tuple[str, str]:
    """The icon and the words for who may see the post."""
    return _VISIBILITY_WORDS[Visibility(status.visibility)]


def when(instant: int) -> str:
    """``23 Nov 2026, 14:05 UTC``; a script makes it shorter and local where one runs."""
    return f"{to_datetime(instant):%-d %b %Y, %H:%M} UTC"


def number(count: int) -> str:
    """A count as people read it: 999, 1.2K, 3M."""
    for limit, unit in ((1_000_000, "M"), (1_000, "K")):
        if count >= limit:
            return f"{count / limit:.1f}".removesuffix(".0") + unit
    return str(count)


def plain_lines(text: str) -> Markup:
    """Plain text with its line ends."""
    return Markup("<br>").join(escape(line) for line in text.split("\n"))


def logo(visit: Visit) -> str:
    """The path of the instance's logo, or of the program's own sign."""
    stored = visit.info.logo
    if stored:
        return visit.urls.media(stored).removeprefix(visit.urls.base_url)
    return f"/brand/{visit.info.colour[1:]}.svg"
