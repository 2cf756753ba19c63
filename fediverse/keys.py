"""The typed names under which app.py keeps what the edges share: ``request.app[keys.DATABASE]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from jinja2 import Environment
    from limits.strategies import RateLimiter

    from fediverse.actors.discovery import Discovery
    from fediverse.actors.signers import Signers
    from fediverse.actors.signing import Keyring
    from fediverse.db import Database
    from fediverse.events import Hub
    from fediverse.inbox.receive import Receiver
    from fediverse.media import PictureStore, RemoteFiles
    from fediverse.relay import Relay
    from fediverse.remote import Remote
    from fediverse.settings import Settings
    from fediverse.site import Site
    from fediverse.urls import Urls

#: What the operator set.
SETTINGS: web.AppKey[Settings] = web.AppKey("settings")
#: Builds and recognises this instance's URLs.
URLS: web.AppKey[Urls] = web.AppKey("urls")
#: Where units of work run.
DATABASE: web.AppKey[Database] = web.AppKey("database")
#: Hands out committed events.
HUB: web.AppKey[Hub] = web.AppKey("hub")
#: Tells other processes what happens here; there is none without Redis.
RELAY: web.AppKey[Relay] = web.AppKey("relay")
#: The only outgoing HTTP client.
REMOTE: web.AppKey[Remote] = web.AppKey("remote")
#: Finds actors and posts on other servers.
DISCOVERY: web.AppKey[Discovery] = web.AppKey("discovery")
#: The private keys of the actors here, loaded.
KEYRING: web.AppKey[Keyring] = web.AppKey("keyring")
#: Where uploaded pictures are kept.
PICTURES: web.AppKey[PictureStore] = web.AppKey("pictures")
#: Files of other servers, kept for a while.
REMOTE_FILES: web.AppKey[RemoteFiles] = web.AppKey("remote_files")
#: Takes in what other servers send.
RECEIVER: web.AppKey[Receiver] = web.AppKey("receiver")
#: Verifies who signed a request.
SIGNERS: web.AppKey[Signers] = web.AppKey("signers")
#: What entities and pages need to know of this instance.
SITE: web.AppKey[Site] = web.AppKey("site")
#: The pages' templates.
TEMPLATES: web.AppKey[Environment] = web.AppKey("templates")
#: How much callers may ask.
LIMITER: web.AppKey[RateLimiter] = web.AppKey("limiter")
