"""The command line, as operators and their scripts use it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.process import SECRET, Process

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a command, without the settings of whoever runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FEDIVERSE_")}
    return {**clean, "FEDIVERSE_DATA_DIR": str(folder), "FEDIVERSE_SECRET_KEY": SECRET, **more}


@pytest.fixture
def cli(new_database: Callable[[], str], tmp_path: Path) -> Run:
    """Runs ``fediverse`` on an empty, migrated database."""
    url = new_database()

    def run(*words: str, stdin: str = "", code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [sys.executable, "-m", "fediverse", *words],
            env=environment(tmp_path, FEDIVERSE_DATABASE_URL=url, **more),
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    return run


def test_accounts_from_their_making_to_their_end(cli: Run) -> None:
    made = cli("account", "create", "mira", "--email", "m@example.com", "--password-stdin", stdin="a good password\n")
    assert "@mira@127.0.0.1:8000" in made.stdout
    invited = cli("account", "create", "bot_7", "--email", "b@example.com", "--invite", "--bot", "--role", "admin")
    assert re.search(r"http://127\.0\.0\.1:8000/invite\?token=\S{30,}", invited.stdout)
    listed = cli("account", "list").stdout
    assert "mira\tm@example.com\tuser\tactive" in listed
    assert "bot_7\tb@example.com\tadmin" in listed
    assert "Service" in cli("account", "show", "bot_7").stdout
    token = cli("token", "create", "mira", "--scopes", "read write").stdout
    assert re.fullmatch(r"\S{30,}\n", token), "just the token"
    cli("account", "suspend", "mira")
    assert "suspended" in cli("account", "list").stdout
    cli("account", "unsuspend", "mira")
    assert "/reset?token=" in cli("account", "reset-password", "mira").stdout
    cli("account", "delete", "mira", "--yes")
    gone = cli("account", "show", "mira", code=1)
    assert "There is no account mira here" in gone.stderr
    taken = cli("account", "create", "Mira", "--email", "n@example.com", "--invite", code=1)
    assert "taken" in taken.stderr, "a name is never given twice, whatever its case"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("account", "create", "a b", "--email", "a@example.com", "--invite"), "name"),
        (("account", "create", "admin", "--email", "a@example.com", "--invite"), "name"),
        (("account", "create", "ok", "--email", "nonsense", "--invite"), "e-mail"),
        (("token", "create", "nobody"), "no account nobody"),
        (("domain", "block", "not a host"), "host"),
        (("status", "delete", "https://example.com/1", "--yes"), "no such post"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(cli: Run, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in cli(*words, code=1).stderr


def test_servers_are_blocked_limited_and_listed(cli: Run) -> None:
    assert "No server" in cli("domain", "list").stdout
    cli("domain", "block", "Bad.Example", "--comment", "spam")
    cli("domain", "limit", "loud.example")
    assert cli("domain", "list").stdout == "block\tbad.example\tspam\nlimit\tloud.example\n"
    cli("domain", "unblock", "bad.example.")
    assert cli("domain", "list").stdout == "limit\tloud.example\n"


def test_settings_that_contradict_themselves_are_refused(cli: Run) -> None:
    for settings, sentence in (
        ({"FEDIVERSE_BASE_URL": "example.com"}, "FEDIVERSE_BASE_URL"),
        ({"FEDIVERSE_REGISTRATIONS": "maybe"}, "FEDIVERSE_REGISTRATIONS"),
        ({"FEDIVERSE_REDIS_URL": "127.0.0.1:6379"}, "FEDIVERSE_REDIS_URL"),
        ({"FEDIVERSE_SMTP_URL": "mail.example.com"}, "smtp://user:password@mail.example.com:587"),
        ({"FEDIVERSE_MAIL_FROM": "Acme <a@example.com>"}, "must be an e-mail address"),
        ({"FEDIVERSE_BASEURL": "https://example.com"}, "no setting FEDIVERSE_BASEURL"),
        ({"FEDIVERSE_SECRET_KEY": "short"}, "FEDIVERSE_SECRET_KEY"),
    ):
        refused = cli("account", "create", "x1", "--email", "x@example.com", "--invite", code=1, **settings)
        assert sentence in refused.stderr


def test_a_file_holds_the_same_settings_and_the_environment_rules(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "fediverse.toml").write_text('base_url = "https://social.example.com"\ndomain = "example.com"\n')
    made = cli("account", "create", "mira", "--email", "m@example.com", "--invite")
    assert "@mira@example.com" in made.stdout
    assert "https://social.example.com/invite" in made.stdout
    again = cli("account", "reset-password", "mira", FEDIVERSE_BASE_URL="https://other.example.com")
    assert again.stdout.startswith("https://other.example.com/reset")


def test_check_says_what_is_missing(cli: Run) -> None:
    found = cli("check", code=1)
    assert "only this machine can reach" in found.stdout
    assert "no owner yet" in found.stdout
    assert "revision" in found.stdout
    assert "Redis at" not in found.stdout
    found = cli("check", code=1, FEDIVERSE_REDIS_URL="valkey://127.0.0.1:9/0")
    assert "Redis at 127.0.0.1:9 does not answer" in found.stdout


def test_check_says_who_else_can_read_the_database(tmp_path: Path) -> None:
    def check() -> str:
        command = [sys.executable, "-m", "fediverse", "check"]
        return subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=60).stdout

    check()  # makes the database
    assert "chmod" not in check()
    (tmp_path / "fediverse.db").chmod(0o644)
    assert f"chmod 600 {tmp_path}/fediverse.db" in check()


def test_migrating_twice_is_harmless(cli: Run) -> None:
    assert "already" in cli("db", "upgrade").stdout


async def test_a_second_server_on_the_same_sqlite_is_refused(
    new_database: Callable[[], str], tmp_path: Path, database_kind: str
) -> None:
    if database_kind != "sqlite":
        pytest.skip("PostgreSQL serves any number of processes")
    process = Process(new_database(), tmp_path)
    await process.start()
    try:
        second = subprocess.run(
            [sys.executable, "-m", "fediverse", "serve", "--port", "0"],
            env=environment(tmp_path, FEDIVERSE_DATABASE_URL=process.settings.database_url),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert second.returncode == 1
        assert "Another 'fediverse serve'" in second.stderr
        worker = subprocess.run(
            [sys.executable, "-m", "fediverse", "work"],
            env=environment(tmp_path, FEDIVERSE_DATABASE_URL=process.settings.database_url),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert worker.returncode == 1
        assert "PostgreSQL" in worker.stderr
    finally:
        process.kill()
