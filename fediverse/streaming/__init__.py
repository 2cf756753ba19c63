"""Streaming: what happens goes to clients as it happens, by WebSocket or as server-sent events.

``channels`` knows the streams and who may listen, ``board`` who does, ``news`` reads what an event means to them,
``sockets`` and ``framing`` are the wire, and the ``Streamer`` holds it together.
"""

from __future__ import annotations

from fediverse.streaming.channels import Refused
from fediverse.streaming.sockets import EventStream, Socket, Taken, WebSocket
from fediverse.streaming.streamer import Streamer

__all__ = ["EventStream", "Refused", "Socket", "Streamer", "Taken", "WebSocket"]
