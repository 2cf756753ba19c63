"""What happens to every request, whatever its route: who asks, whether for us, how errors look, what is measured."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from fediverse import metrics
from fediverse.errors import (
    BadRequest,
    FediverseError,
    Forbidden,
    MethodNotAllowed,
    Misdirected,
    NotFound,
    TooLarge,
)
from fediverse.settings import Settings
from fediverse.web.errors import error_response
from fediverse.web.headers import secure

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = web.RequestKey("request_id", str)

_SLOW_SECONDS = 2.0
_HEALTH = frozenset({"/healthz", "/readyz", "/metrics"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def observe() -> Any:
    """Gives each request an id, turns errors into answers, adds the security headers, measures and logs."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = f"{random.getrandbits(64):016x}"  # in logs; not a secret
        request[REQUEST_ID] = request_id
        try:
            response = await handler(request)
        except web.HTTPException as error:
            if error.status < 400:  # a redirect
                secure(request, error)
                raise
            response = await error_response(request, _translated(error))
        except FediverseError as error:
            response = await error_response(request, error)
        except ConnectionResetError:
            raise
        except Exception:
            log.exception("request.failed", request_id=request_id, method=request.method, path=request.path)
            failure = FediverseError("Something went wrong here. It has been logged; please try again.")
            response = await error_response(request, failure)
        seconds = time.perf_counter() - started
        route = _route(request)
        method = request.method if request.method in _METHODS else "other"
        metrics.REQUESTS.labels(method, route, f"{response.status // 100}xx").observe(seconds)
        if not response.prepared:
            secure(request, response)
            response.headers["X-Request-Id"] = request_id
        level = log.warning if response.status >= 500 or seconds > _SLOW_SECONDS else log.debug
        level(
            "request",
            request_id=request_id,
            method=request.method,
            path=request.path,
            status=response.status,
            ms=round(seconds * 1000, 1),
        )
        return response

    return middleware


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


def _translated(error: web.HTTPException) -> FediverseError:
    """aiohttp's own refusals as ours, with a sentence."""
    match error.status:
        case 404:
            return NotFound("There is nothing at this address.")
        case 405:
            allowed = error.headers.get("Allow", "")
            return MethodNotAllowed(
                f"This address takes {allowed or 'other methods'} only.", headers={"Allow": allowed}
            )
        case 413:
            return TooLarge("The request is larger than what is taken here.")
        case 403:
            return Forbidden(error.text or "You may not do this.")
        case _:
            return BadRequest(error.text or "The request is malformed.")


async def secure_streams(request: web.Request, response: web.StreamResponse) -> None:
    """What is sent piece by piece carries the security headers, too: it is begun before the middleware sees it."""
    if not isinstance(response, web.Response):
        secure(request, response)


def headers_of_text() -> Any:
    """Refuses requests with a header that is not UTF-8: no database takes one, and none means anything here."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not all(value.isascii() or _is_text(value) for _, value in request.raw_headers):
            raise BadRequest("A header of the request holds bytes that are not UTF-8.")
        return await handler(request)

    return middleware


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def only_our_hosts(settings: Settings) -> Any:
    """Refuses requests for host names that are not this instance's (421), health endpoints excepted.

    While the base URL is a loopback address every name of the loopback, with the same port, is taken for it.
    """
    base = urlsplit(settings.base_url)
    hosts = {settings.urls.host.lower(), settings.urls.domain.lower()}
    if base.hostname in {"localhost", "127.0.0.1", "::1"}:
        port = f":{base.port}" if base.port else ""
        hosts |= {name + port for name in _LOOPBACK}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # The Host header itself: aiohttp's request.host falls back to the machine's name.
        named = request.headers.getall("Host", [])
        if (len(named) != 1 or named[0].lower() not in hosts) and request.path not in _HEALTH:
            raise Misdirected("This server does not answer for that host name.")
        if not request.raw_path.startswith("/"):  # nor any other form of a target (RFC 9112 §3.2)
            raise BadRequest("Ask for a path, not for a whole address.")
        return await handler(request)

    return middleware
