"""The directory: who acts, here and elsewhere. The only writer of ``actors`` and ``actor_keys``.

Local actors have the host ``''`` and no stored URLs; their ids are built from settings. Remote actors are what their
own document says, under a handle that WebFinger confirmed.
"""

from __future__ import annotations

from fediverse.actors.directory.departure import mark_gone
from fediverse.actors.directory.keys import LocalKeys, key_by_uri, keys_of, make_keys, signing_key
from fediverse.actors.directory.local import (
    RESERVED,
    ActorColumns,
    check_username,
    create_local,
    ensure_instance_actor,
    forget_local,
    update_local,
)
from fediverse.actors.directory.lookup import (
    by_handle,
    by_id,
    by_ids,
    by_uri,
    by_uris,
    canonical,
    inbox_of,
    instance_actor,
    local,
    shared_inbox_of,
    uri_of,
)
from fediverse.actors.directory.peers import upsert_remote

__all__ = [
    "RESERVED",
    "ActorColumns",
    "LocalKeys",
    "by_handle",
    "by_id",
    "by_ids",
    "by_uri",
    "by_uris",
    "canonical",
    "check_username",
    "create_local",
    "ensure_instance_actor",
    "forget_local",
    "inbox_of",
    "instance_actor",
    "key_by_uri",
    "keys_of",
    "local",
    "make_keys",
    "mark_gone",
    "shared_inbox_of",
    "signing_key",
    "update_local",
    "upsert_remote",
    "uri_of",
]
