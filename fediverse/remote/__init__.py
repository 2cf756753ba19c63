"""The only outgoing HTTP client.

The address that was checked is the address that is dialled; private ranges are refused unless allow-listed; bytes,
seconds and redirects are limited; a document counts only if its id is the URL that it was finally fetched from.
"""

from fediverse.remote.addresses import AddressGuard
from fediverse.remote.client import ByteStream, Page, Remote
from fediverse.remote.documents import ACCEPT, Document, is_activity_type, media_type, parse_object
from fediverse.remote.errors import (
    Answered,
    Mismatch,
    NotActivityPub,
    Refused,
    RemoteError,
    TooBig,
    Unreachable,
)
from fediverse.remote.limits import Deadlines
from fediverse.remote.names import Resolver
from fediverse.remote.transport import PostResult, Signer, trusted
from fediverse.remote.urls import Target, target
from fediverse.remote.webfinger import ResolvedHandle, WebFingerResult, read_handle

__all__ = [
    "ACCEPT",
    "AddressGuard",
    "Answered",
    "ByteStream",
    "Deadlines",
    "Document",
    "Mismatch",
    "NotActivityPub",
    "Page",
    "PostResult",
    "Refused",
    "Remote",
    "RemoteError",
    "ResolvedHandle",
    "Resolver",
    "Signer",
    "Target",
    "TooBig",
    "Unreachable",
    "WebFingerResult",
    "is_activity_type",
    "media_type",
    "parse_object",
    "read_handle",
    "target",
    "trusted",
]
