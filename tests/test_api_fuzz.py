"""Requests that nobody thinks of: made from the facts of the client API, to every operation there is."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings

from tests.support.instance import Account, Instance

_REQUESTS = Path(__file__).parent / "data" / "client_api_requests.json"
# What goes on without end, and what would end the token that asks.
_LEFT_OUT = ("/api/v1/streaming", "/oauth/revoke")
_ODD_ACCEPTS = ("application/json", "*/*", "text/html;q=0.1, */*;q=nonsense", ",;=", "a" * 2000)


def _operations() -> list[Any]:
    description = schemathesis.openapi.from_dict(json.loads(_REQUESTS.read_text()))
    found = [one.ok() for one in description.get_all_operations()]
    return [one for one in found if not one.path.startswith(_LEFT_OUT)]


def _attempt(instance: Instance, account: Account, operation: Any, *, examples: int, random: bool) -> None:
    """The operation answers whatever it is asked, and never that it broke."""

    @hypothesis.given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=not random,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        accept = _ODD_ACCEPTS[len(str(case.query)) % len(_ODD_ACCEPTS)]
        headers = {**account.headers, "Accept": accept}
        answer = case.call(base_url=instance.url, headers=headers, timeout=30)
        assert answer.status_code < 500, f"{operation.label}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code >= 400 and operation.path.startswith("/api/"):
            assert answer.json()["error"], operation.label

    ask()


async def _sweep(instance: Instance, *, examples: int, random: bool = False) -> None:
    alice = await instance.account("alice", role="owner", scopes="read write follow push")
    for operation in _operations():
        await asyncio.to_thread(_attempt, instance, alice, operation, examples=examples, random=random)


@pytest.mark.timeout(300)
@pytest.mark.attack("DOS-06")
async def test_no_request_breaks_an_operation(instance: Instance) -> None:
    await _sweep(instance, examples=3)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_many_requests_break_no_operation(instance: Instance) -> None:
    await _sweep(instance, examples=200, random=True)


async def test_odd_numbers_are_no_accident(instance: Instance) -> None:
    alice = await instance.account("alice")
    reading = [operation.path for operation in _operations() if operation.method.upper() == "GET"]
    for word in ("470640631006", "-1", "x", "9" * 40, "\0"):
        for template in reading:
            path = re.sub(r"\{\w+\}", quote(word), template)
            numbers = dict.fromkeys(("limit", "max_id", "min_id", "since_id", "offset"), word)
            async with instance.http.get(instance.url + path, params=numbers, headers=alice.headers) as answer:
                assert answer.status < 500, (path, word, answer.status)
