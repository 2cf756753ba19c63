"""OAuth's own error (RFC 6749 §5.2): a code for the client beside the sentence for people."""

from __future__ import annotations

from fediverse.errors import FediverseError


class OAuthError(FediverseError):
    """An OAuth request that is refused. ``code`` is the word of RFC 6749; the message goes into error_description."""

    status = 400

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
