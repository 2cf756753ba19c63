"""What can go wrong with another server.

    errors.RemoteFailed
    └── RemoteError
        ├── Refused          this server will not call that address, whoever asks
        ├── Unreachable      no usable answer: name, connection, TLS, time, broken HTTP
        ├── Answered         an answer with another status than was hoped for
        ├── NotActivityPub   an answer, but no ActivityPub document
        ├── TooBig           more bytes than are taken
        └── Mismatch         a document or handle that speaks for somewhere else

The sentences name the other host and never repeat what it sent.
"""

from __future__ import annotations

from fediverse.errors import RemoteFailed


class RemoteError(RemoteFailed):
    """Another server could not be asked, or its answer is of no use."""

    @property
    def gone(self) -> bool:
        """Whether the other server says that the thing is not there (404) or was deleted (410)."""
        return False


class Refused(RemoteError):
    """The URL or the address behind it is one that this server does not call. Trying again does not help."""


class Unreachable(RemoteError):
    """No usable answer came: DNS, connection, TLS, time limit or broken HTTP. Trying later may help."""


class Answered(RemoteError):
    """The other server answered with a status that is not the one hoped for.

    ``code`` is its status (``status`` is ours, as in every error of the tree), ``retry_after`` the seconds it asks
    to wait, if it does.
    """

    def __init__(self, message: str, *, code: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after

    @property
    def gone(self) -> bool:
        """Whether the status was 404 or 410."""
        return self.code in (404, 410)


class NotActivityPub(RemoteError):
    """The answer is not an ActivityPub document: its content type or its JSON is not what the protocol asks for."""


class TooBig(RemoteError):
    """The answer is longer than what is taken; reading it was stopped."""


class Mismatch(RemoteError):
    """The document's id, or the handle's domain, does not stand behind what was fetched."""
