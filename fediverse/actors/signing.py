"""Signing as an actor of this instance: keys are opened once and kept, since opening costs as much as signing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping

from sqlalchemy import Connection

from fediverse import instance
from fediverse.actors import directory
from fediverse.db import Database
from fediverse.errors import NotFound
from fediverse.remote import Signer
from fediverse.signatures import SigningKey, sign_cavage
from fediverse.tables.actors import INSTANCE_ACTOR_ID
from fediverse.urls import Urls

MAX_KEYS = 1024


def load_key(tx: Connection, urls: Urls, actor_id: int, *, secret: bytes) -> SigningKey:
    """The RSA key of a local actor under the id that its document gives it.

    Raises NotFound when there is no such actor here, KeySealed when the secret is not the one it was sealed under.
    """
    actor = directory.by_id(tx, actor_id)
    if actor is None or actor.host != "":
        raise NotFound("There is no such account here.")
    return SigningKey(f"{directory.uri_of(urls, actor)}#main-key", directory.signing_key(tx, actor_id, secret))


class Keyring:
    """The opened keys of local actors; a key never changes once it was made."""

    def __init__(self, database: Database, urls: Urls, secret: bytes) -> None:
        self._database = database
        self._urls = urls
        self._secret = secret
        self._keys: OrderedDict[int, SigningKey] = OrderedDict()

    async def key(self, actor_id: int = INSTANCE_ACTOR_ID) -> SigningKey:
        """The actor's key; the instance actor's unless said otherwise."""
        kept = self._keys.get(actor_id)
        if kept is None:
            if not self._keys:
                # Whoever gets a signed request keeps our names: from now on they cannot change.
                await self._database.write(instance.freeze_names, self._urls)
            kept = await self._database.read(load_key, self._urls, actor_id, secret=self._secret)
            self._keys[actor_id] = kept
            if len(self._keys) > MAX_KEYS:
                self._keys.popitem(last=False)
        return kept

    async def signer(self, actor_id: int = INSTANCE_ACTOR_ID) -> Signer:
        """What signs requests in the actor's name; the instance actor's unless said otherwise."""
        return signer_of(await self.key(actor_id))


def signer_of(key: SigningKey) -> Signer:
    """What signs requests with this key, each at the time when it is sent."""

    def sign(method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        return sign_cavage(key, method, url, date=time.time(), body=body)

    return sign
