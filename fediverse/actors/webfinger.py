"""WebFinger (RFC 7033) for what lives here: which actor a resource names, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fediverse.errors import BadRequest
from fediverse.urls import Urls

SELF: Final = "self"
PROFILE_PAGE: Final = "http://webfinger.net/rel/profile-page"
AVATAR: Final = "http://webfinger.net/rel/avatar"
SUBSCRIBE: Final = "http://ostatus.org/schema/1.0/subscribe"
SERVER_ACTOR: Final = "https://www.w3.org/ns/activitystreams#Service"
"""The relation of FEP-d556: from a server's root to the actor that speaks for it."""

_MAX_RESOURCE: Final = 2048
_DEFAULT_PORTS: Final = {"https": ":443", "http": ":80"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a resource names: a local user name, in any case if ``fold``, or the server itself."""

    username: str = ""
    fold: bool = False
    server: bool = False


def read_resource(urls: Urls, resource: str) -> Asked | None:
    """Whom the resource names; None when that is nobody who could be here.

    Understood are ``acct:`` with the domain or the base URL's host, and the addresses of actors and profiles. Raises
    BadRequest for what is no resource at all.
    """
    if len(resource) > _MAX_RESOURCE or any(char <= " " for char in resource):
        raise BadRequest("The resource is not one that WebFinger knows: ask for acct:name@host or an address.")
    scheme, colon, rest = resource.partition(":")
    if colon and scheme.lower() in {"http", "https"}:
        return _read_url(urls, resource)
    if colon and scheme.lower() == "acct":
        return _read_handle(urls, rest)
    # Some servers leave the scheme out.
    if "@" in resource and "/" not in resource:
        return _read_handle(urls, resource)
    if colon:
        return None
    raise BadRequest("The resource is not one that WebFinger knows: ask for acct:name@host or an address.")


def _read_handle(urls: Urls, handle: str) -> Asked | None:
    user, at, host = handle.removeprefix("@").rpartition("@")
    if not at or not user or not host:
        raise BadRequest("A handle in WebFinger looks like acct:name@host.")
    if not _is_here(urls, host):
        return None
    if user.lower() in {urls.host.lower(), urls.domain.lower(), urlsplit(urls.base_url).hostname}:
        return Asked(server=True)
    return Asked(user, fold=True)


def _read_url(urls: Urls, url: str) -> Asked | None:
    if url.rstrip("/") == urls.base_url:
        return Asked(server=True)
    found = urls.parse(url)
    if found is None:
        return None
    if found.kind == "instance":
        return Asked(server=True)
    if found.kind != "actor":
        return None
    # The id is compared exactly, the page's address is for people.
    return Asked(found.username, fold=url == urls.profile(found.username))


def _is_here(urls: Urls, host: str) -> bool:
    named = host.lower().rstrip(".")
    scheme = urls.base_url.partition(":")[0]
    return named.removesuffix(_DEFAULT_PORTS[scheme]) in {urls.domain.lower(), urls.host.lower()}


def descriptor(
    urls: Urls, username: str, *, rels: Collection[str] = (), avatar: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The JRD of a local actor. ``rels`` narrows the links; ``avatar`` is (address, media type)."""
    links: list[dict[str, str]] = [
        {"rel": SELF, "type": "application/activity+json", "href": urls.actor(username)},
        {"rel": PROFILE_PAGE, "type": "text/html", "href": urls.profile(username)},
        {"rel": SUBSCRIBE, "template": f"{urls.base_url}/authorize_interaction?uri={{uri}}"},
    ]
    if avatar is not None:
        links.append({"rel": AVATAR, "type": avatar[1], "href": avatar[0]})
    return {
        "subject": f"acct:{urls.handle(username)}",
        "aliases": [urls.profile(username), urls.actor(username)],
        "links": _chosen(links, rels),
    }


def server_descriptor(urls: Urls, username: str, *, rels: Collection[str] = ()) -> dict[str, Any]:
    """The JRD of the server itself: its actor, under both relations that are in use for it."""
    href, kind = urls.instance_actor, "application/activity+json"
    links = [
        {"rel": SELF, "type": kind, "href": href},
        {"rel": SERVER_ACTOR, "type": kind, "href": href},
    ]
    return {
        "subject": f"acct:{urls.handle(username)}",
        "aliases": [urls.instance_actor, f"{urls.base_url}/"],
        "links": _chosen(links, rels),
    }


def _chosen(links: list[dict[str, str]], rels: Collection[str]) -> list[dict[str, str]]:
    return [link for link in links if link["rel"] in rels] if rels else links


def template(urls: Urls) -> str:
    """Where WebFinger is asked, as a template for host-meta (RFC 6415 §3.1)."""
    return f"{urls.base_url}/.well-known/webfinger?resource={{uri}}"


def host_meta(urls: Urls) -> bytes:
    """The XRD that leads older servers to WebFinger, also from a domain that is not the base URL's host."""
    address = template(urls).replace("&", "&amp;")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">\n'
        f'  <Link rel="lrdd" template="{address}"/>\n'
        "</XRD>\n"
    ).encode()


def host_meta_json(urls: Urls) -> dict[str, Any]:
    """The same as JSON (RFC 6415 appendix A)."""
    return {"links": [{"rel": "lrdd", "template": template(urls)}]}
