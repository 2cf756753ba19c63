"""How long, how much and how often: the limits of every outgoing request."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BODY_BYTES = 1024 * 1024  # after decompression
MAX_REDIRECTS = 5
MAX_HEADERS = 100
MAX_HEADER_BYTES = 8190
MAX_IN_FLIGHT = 128  # fetches and deliveries are counted apart, so that neither starves the other
MAX_FETCHES_PER_HOST = 16
EXCERPT_BYTES = 1024
DRAIN_BYTES = 64 * 1024  # a longer answer to a delivery costs its connection
IDLE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Limits in seconds. A test of a server that never answers passes shorter ones."""

    #: Name, connection and TLS handshake.
    connect: float = 5.0
    #: A whole fetch, with its redirects, its body and a second fetch from the document's own id.
    fetch: float = 15.0
    #: A delivery until its status has arrived.
    delivery: float = 10.0
    #: The rest of the answer to a delivery.
    drain: float = 5.0
