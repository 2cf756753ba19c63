"""Roles, the audit log and deliveries from the command line."""

from __future__ import annotations

import pytest

from tests.support.commands import Commands


@pytest.mark.attack("API-05")
def test_roles_are_given_and_there_is_always_an_owner(commands: Commands) -> None:
    for name in ("mira", "otto"):
        commands.run("account", "create", name, "--email", f"{name}@example.com", "--invite")
    assert "the role moderator" in commands.run("account", "role", "mira", "moderator")
    commands.run("account", "suspend", "mira")
    commands.run("account", "unsuspend", "mira")
    log = commands.run("audit", "--limit", "3")
    assert [line.split("\t")[1:4] for line in log.splitlines()] == [
        ["the command line", "account.unsuspend", "mira"],
        ["the command line", "account.suspend", "mira"],
        ["the command line", "account.role", "mira"],
    ]
    commands.run("account", "role", "mira", "owner")
    for words in (("role", "mira", "user"), ("suspend", "mira"), ("delete", "mira", "--yes")):
        assert "last owner" in commands.refusal("account", *words)
    commands.run("account", "role", "otto", "owner")
    commands.run("account", "delete", "mira", "--yes")
    assert "no account" in commands.refusal("account", "role", "nobody", "user")


def test_failed_deliveries_are_listed_tried_again_and_forgotten(commands: Commands) -> None:
    assert "Nothing waits" in commands.run("delivery", "list")
    assert "0 deliveries" in commands.run("delivery", "replay", "Peer.example")
    assert "0 deliveries" in commands.run("delivery", "drop", "peer.example", "--yes")
    assert "delivery.drop\tpeer.example\t0" in commands.run("audit")
    assert "no host" in commands.refusal("delivery", "replay", "no host!")
    assert "is limited" in commands.run("domain", "limit", "peer.example", "--comment", "loud")
    assert commands.run("domain", "list") == "limit\tpeer.example\tloud\n"
