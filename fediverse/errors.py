"""The tree of errors that a user can meet.

    FediverseError
    ├── BadRequest           400  the request itself is malformed
    ├── Unauthorized         401  nobody, or not provably who they say
    ├── Forbidden            403  known, but not allowed
    ├── NotFound             404  not there, or not for you to know
    ├── MethodNotAllowed     405
    ├── NotAcceptable        406
    ├── TooSlow              408  the request's body did not come in time
    ├── Conflict             409
    ├── Gone                 410  was there, was deleted
    ├── TooLarge             413
    ├── UnsupportedType      415
    ├── Misdirected          421  a host name that is not this instance's
    ├── Invalid              422  understood, and refused by a rule
    ├── TooManyRequests      429
    ├── RemoteFailed         502  another server did not answer usefully
    └── Unavailable          503  try again later

Each error carries a sentence that is safe to show; what caused it is chained with ``from`` and goes to the log only.
"""

from __future__ import annotations

from collections.abc import Mapping


class FediverseError(Exception):
    """Something that is told to the user in a sentence, with an HTTP status."""

    status = 500

    def __init__(self, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.headers = dict(headers or {})


class BadRequest(FediverseError):
    """The request itself is malformed."""

    status = 400


class Unauthorized(FediverseError):
    """The caller is nobody, or not provably who they say."""

    status = 401


class Forbidden(FediverseError):
    """The caller is known, but not allowed to do this."""

    status = 403


class NotFound(FediverseError):
    """The thing is not there, or not for the caller to know of."""

    status = 404


class MethodNotAllowed(FediverseError):
    """The path is known, but not with this method."""

    status = 405


class NotAcceptable(FediverseError):
    """None of the types that the caller accepts can be served."""

    status = 406


class TooSlow(FediverseError):
    """The rest of the request did not arrive in time."""

    status = 408


class Conflict(FediverseError):
    """The change contradicts what is stored."""

    status = 409


class Gone(FediverseError):
    """The thing was deleted."""

    status = 410


class TooLarge(FediverseError):
    """The body is larger than what is taken here."""

    status = 413


class UnsupportedType(FediverseError):
    """The body is of a content type that is not taken here."""

    status = 415


class Misdirected(FediverseError):
    """The request names a host that this instance does not answer for."""

    status = 421


class Invalid(FediverseError):
    """The request was understood and is refused by a rule."""

    status = 422


class TooManyRequests(FediverseError):
    """The caller has to wait."""

    status = 429


class RemoteFailed(FediverseError):
    """Another server did not answer usefully."""

    status = 502


class Unavailable(FediverseError):
    """This server cannot do it now; trying again later helps."""

    status = 503
