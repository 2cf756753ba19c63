"""Limits hold however a caller disguises itself: by made-up tokens, by other addresses of its own, by another door."""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections import Counter
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from limits import parse

from fediverse import caller, throttle
from fediverse.remote import media_type
from fediverse.serving import prefers_page
from tests.conftest import MakeInstance
from tests.support.instance import Instance


async def ask(instance: Instance, times: int, method: str, path: str, **request: Any) -> Counter[int]:
    """The statuses of so many requests, each with a token of its own that was never given to anybody."""
    found: Counter[int] = Counter()
    for _ in range(times):
        headers = {"Authorization": f"Bearer {secrets.token_hex(8)}"}
        async with instance.http.request(method, instance.url + path, headers=headers, **request) as response:
            found[response.status] += 1
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are reached soon."""
    monkeypatch.setattr(throttle, "_PAGES", parse("10 per 5 minutes"))
    monkeypatch.setattr(throttle, "_EACH", parse("10 per 5 minutes"))
    monkeypatch.setattr(throttle, "_TOKENS", parse("20 per 5 minutes"))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("path", "let_in"), [("/tags/x", 10), ("/.well-known/nodeinfo", 10), ("/api/v1/instance", 20)])
async def test_a_token_for_every_request_gives_no_more_requests(
    make_instance: MakeInstance, path: str, let_in: int
) -> None:
    limited = await make_instance(rate_limits="on")
    assert await ask(limited, let_in + 5, "GET", path) == {200: let_in, 429: 5}


@pytest.mark.usefixtures("small")
async def test_an_application_gets_no_more_tokens_for_that(make_instance: MakeInstance) -> None:
    limited = await make_instance(rate_limits="on")
    made = {"client_name": "x", "redirect_uris": "urn:ietf:wg:oauth:2.0:oob"}
    app = await limited.call("POST", "/api/v1/apps", json=made)
    form = {
        "grant_type": "client_credentials",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
    }
    assert await ask(limited, 15, "POST", "/oauth/token", data=form) == {200: 10, 429: 5}


@pytest.mark.usefixtures("small")
async def test_posting_to_the_outbox_counts_as_by_the_api(make_instance: MakeInstance) -> None:
    limited = await make_instance(rate_limits="on")
    alice = await limited.account("alice")
    headers = {**alice.headers, "Content-Type": "application/activity+json"}
    found: Counter[int] = Counter()
    for number in range(15):
        note = {"type": "Note", "content": str(number)}
        async with limited.http.post(f"{alice.uri}/outbox", headers=headers, json=note) as response:
            found[response.status] += 1
    assert found == {201: 10, 429: 5}
    # What other servers ask for and send is not counted.
    for _ in range(15):
        async with limited.http.get(f"{alice.uri}/outbox") as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_all_addresses_of_one_line_are_one_caller(peer: str, counted: str) -> None:
    app = web.Application()
    app[caller.TRUSTED] = (ipaddress.ip_network("10.0.0.0/8"),)
    direct = make_mocked_request("GET", "/", app=app).clone(remote=peer)
    assert caller.client_address(direct) == counted
    if peer:
        forwarded = make_mocked_request("GET", "/", headers={"X-Forwarded-For": peer}, app=app).clone(remote="10.0.0.1")
        assert caller.client_address(forwarded) == counted


@pytest.mark.parametrize("part", [";a= ", ";a=", "; ", ";a ", " ", ';a=""', ";q=", ", text/html;", '"', ";a=a "])
@pytest.mark.parametrize("end", ['"', "x", "\x00", ";", ""])
def test_no_header_takes_longer_than_it_is_long(part: str, end: str) -> None:
    """Such a header of 200 characters once was tried in 2 to the power of 50 ways."""
    started = time.process_time()
    prefers_page("text/html" + part * (900 // len(part)) + end)
    prefers_page("text/html" + part * (8000 // len(part)) + end)
    media_type("text/html" + part * (8000 // len(part)) + end)
    assert time.process_time() - started < 1
