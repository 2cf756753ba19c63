"""Mail: what is said to whom, handed to an SMTP server on the loopback; and what waits for a confirmed address."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from sqlalchemy import Connection

from fediverse import clock
from fediverse.actors import directory, people, signing_up
from fediverse.letters import Letter
from fediverse.mail import Mailer, MailError, SmtpServer
from fediverse.settings import Settings, SettingsError, load
from fediverse.tables.actors import people as people_table
from tests.conftest import MakeInstance
from tests.support.browser import Browser
from tests.support.entities import assert_entity
from tests.support.instance import Instance, free_port
from tests.test_api_registration import GOOD, application

NEW_PASSWORD = "another long one"


@dataclass
class Postbox:
    """An SMTP server that keeps what it gets."""

    url: str = ""
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    #: What it answers instead of taking the next mails.
    answers: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken.append((envelope.rcpt_tos[0], message))
        return "250 OK"

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such mailbox"
        if address.startswith("busy"):
            return "450 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    def last(self, to: str) -> str:
        """The text of the latest mail, which went there."""
        address, message = self.taken[-1]
        assert address == to
        return str(message.get_content())

    def token(self, to: str) -> str:
        """The token of the link in the latest mail."""
        found = re.search(r"token=(\S+)", self.last(to))
        assert found is not None
        return found[1]


@pytest.fixture
async def postbox() -> AsyncIterator[Postbox]:
    box = Postbox()

    def let_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        right = data.login == b"user@x" and data.password == b"p:ss/"
        return AuthResult(success=right, handled=right)

    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, authenticator=let_in, auth_require_tls=False)
    controller.start()
    box.url = f"smtp://user%40x:p%3Ass%2F@127.0.0.1:{port}"
    yield box
    controller.stop()


def bearer(token: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['access_token']}"}


async def test_an_account_waits_for_its_confirmed_address(make_instance: MakeInstance, postbox: Postbox) -> None:
    instance = await make_instance(registrations="open", smtp_url=postbox.url, mail_from="social@acme.example")
    boss = await instance.account("boss", role="moderator")
    sent = {**GOOD, "email": "typo@example.com"}
    mine = bearer(await instance.call("POST", "/api/v1/accounts", headers=await application(instance), json=sent))
    await instance.tick()
    assert "@newcomer@" in postbox.last("typo@example.com")
    mistaken = postbox.token("typo@example.com")
    refusal = await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=mine, status=403)
    assert refusal["error"] == "Your login is missing a confirmed e-mail address"
    await instance.call("POST", "/api/v1/statuses", headers=mine, json={"status": "x"}, status=403)
    assert await instance.call("GET", "/api/v1/emails/check_confirmation", headers=mine) is False
    await instance.call("GET", "/api/v1/emails/check_confirmation", status=401)
    assert await instance.notifications(boss) == []

    # Sent again to another address, which makes the first link worthless.
    path = "/api/v1/emails/confirmations"
    for wrong in ("nonsense", "boss@example.com", "x@y\nBcc: z@example.com"):
        assert_entity("Error", await instance.call("POST", path, headers=mine, json={"email": wrong}, status=422))
    assert await instance.call("POST", path, headers=mine, json={"email": "newcomer@example.com"}) == {}
    async with Browser(instance.url) as browser:  # at once, and not when the next mail is written
        assert (await browser.get(f"/confirm?token={mistaken}")).status == 403
    await instance.tick()
    _, message = postbox.taken[-1]
    assert message["From"] == "Fediverse <social@acme.example>"
    assert message["Subject"] == "Confirm your e-mail address - Fediverse"
    async with Browser(instance.url) as browser:
        assert (await browser.get(f"/confirm?token={mistaken}")).status == 403
        page = await browser.sign_in("newcomer", GOOD["password"])
        assert (page.status, "not confirmed yet" in page.words) == (401, True)
        await instance.tick()
        page = await browser.get(f"/confirm?token={postbox.token('newcomer@example.com')}")
        assert "newcomer@example.com" in page.words
        form = page.form("/confirm")
        page = await browser.send(form)
        assert "is confirmed. Sign in." in page.words
        assert (await browser.send(form)).status == 403
        assert (await browser.sign_in("newcomer", GOOD["password"])).url.endswith("/home")
    assert await instance.call("GET", "/api/v1/emails/check_confirmation", headers=mine) is True
    await instance.call("GET", "/api/v1/accounts/verify_credentials", headers=mine)
    await instance.call("POST", path, headers=mine, status=403)
    [told] = await instance.notifications(boss)
    assert (told["type"], told["account"]["acct"]) == ("admin.sign_up", "newcomer")


async def test_pages_make_accounts(make_instance: MakeInstance, postbox: Postbox) -> None:
    instance = await make_instance(registrations="approval", smtp_url=postbox.url)
    boss = await instance.account("boss", role="owner")
    async with Browser(instance.url) as browser:
        assert "/signup" in (await browser.get("/login")).text
        form = (await browser.get("/signup")).form("/signup")
        typed = {"username": "@newcomer", "email": "n@example.com", "password": "a long enough one"}
        page = await browser.send(form, **{**typed, "username": "BOSS"})
        assert page.status == 422
        for words in ("is taken", "must be agreed", "Say why"):
            assert words in page.words
        assert page.form("/signup").fields["email"] == "n@example.com"
        page = await browser.send(form, **typed, agreement="1", reason="I work here")
        assert "We sent a mail to n@example.com" in page.words
        await instance.tick()
        page = await browser.get(f"/confirm?token={postbox.token('n@example.com')}")
        assert "once your account is approved" in (await browser.send(page.form("/confirm"))).words
        assert "not been approved" in (await browser.sign_in("newcomer", typed["password"])).words
        person = await instance.database.read(people.by_email, "n@example.com")
        assert person is not None
        await instance.call("POST", "/api/v1/emails/confirmations", by=boss, status=403)

    # Moderators decide: who was let in is told, who was warned, and who was not let in.
    boss = await instance.account("chief", role="owner", scopes="admin:read admin:write")
    sent = {**GOOD, "username": "other", "email": "other@example.com", "reason": "spam"}
    await instance.call("POST", "/api/v1/accounts", headers=await application(instance), json=sent)
    await instance.tick()
    other = await instance.database.read(directory.local, "other")
    newcomer = await instance.database.read(directory.local, "newcomer")
    assert other is not None
    assert newcomer is not None
    told = len(postbox.taken)
    admin = "/api/v1/admin/accounts"
    await instance.call("POST", f"{admin}/{newcomer.id}/approve", by=boss)
    await instance.call("POST", f"{admin}/{other.id}/reject", by=boss)
    warning = {"type": "suspend", "text": "Enough.\nReally."}
    await instance.tick()
    await instance.call("POST", f"{admin}/{newcomer.id}/action", by=boss, json=warning)
    await instance.call(
        "POST", f"{admin}/{newcomer.id}/action", by=boss, json={"send_email_notification": False, "type": "none"}
    )
    await instance.tick()
    assert {(to, message["Subject"].split(" - ")[0]) for to, message in postbox.taken[told:]} == {
        ("n@example.com", "Your account is ready"),
        ("other@example.com", "About your account"),
        ("n@example.com", "About your account"),
    }
    assert len(postbox.taken) == told + 3
    words = postbox.last("n@example.com")
    assert f"@newcomer@{instance.domain}, and decided: it is suspended." in words
    assert "They write: Enough. Really." in words


@pytest.mark.attack("OAU-08")
async def test_a_lost_password_is_renewed_by_mail(make_instance: MakeInstance, postbox: Postbox) -> None:
    instance = await make_instance(smtp_url=postbox.url)
    alice = await instance.account("alice")
    async with Browser(instance.url) as browser:
        form = (await browser.get("/forgot")).form("/forgot")
        # The answer is the same, word by word, whoever is asked for.
        pages = [await browser.send(form, login=login) for login in ("alice@example.com", "nobody@example.com", "x y")]
        assert len({(page.status, page.text) for page in pages}) == 1
        await instance.tick()
        assert [to for to, _ in postbox.taken] == ["alice@example.com"]
        page = await browser.get(f"/reset?token={postbox.token('alice@example.com')}")
        await browser.send(page.form("/reset"), password=NEW_PASSWORD)
        await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice, status=401)
        assert (await browser.sign_in("alice", NEW_PASSWORD)).url.endswith("/home")

        # Another address: it counts once it is confirmed, and the old one is told.
        form = (await browser.get("/settings/account")).form("/settings/account")
        page = await browser.send(form, email="new@example.com", current="wrong")
        assert (page.status, "is wrong" in page.words) == (422, True)
        await instance.account("bob")
        page = await browser.send(form, email="BOB@example.com", current=NEW_PASSWORD)
        assert (page.status, "in use" in page.words) == (409, True)
        page = await browser.send(form, email="new@example.com", current=NEW_PASSWORD)
        assert "We sent a mail to new@example.com" in page.words
        await instance.tick()
        kept = postbox.token("new@example.com")
        await browser.send(page.form("/settings/account/keep"))
        assert "is confirmed" not in (await browser.get(f"/confirm?token={kept}")).words
        await browser.send(form, email="new@example.com", current=NEW_PASSWORD)
        await instance.tick()
        page = await browser.get(f"/confirm?token={postbox.token('new@example.com')}")
        page = await browser.send(page.form("/confirm"))
        assert "You sign in with new@example.com" in page.words
        await instance.tick()
        assert "is now new@example.com" in postbox.last("alice@example.com")


async def test_without_mail_there_is_nothing_to_confirm(make_instance: MakeInstance) -> None:
    instance = await make_instance(registrations="open")
    boss = await instance.account("boss", role="owner")
    async with Browser(instance.url) as browser:
        assert (await browser.get("/forgot")).status == 404
        form = (await browser.get("/signup")).form("/signup")
        typed = {"username": "new", "email": "n@example.com", "password": "a long enough one", "agreement": "1"}
        assert (await browser.send(form, **typed)).url.endswith("/home")
        form = (await browser.get("/settings/account")).form("/settings/account")
        page = await browser.send(form, email="other@example.com", current=typed["password"])
        assert "You sign in with other@example.com" in page.words
    assert [told["type"] for told in await instance.notifications(boss)] == ["admin.sign_up"]
    closed = await make_instance()
    async with Browser(closed.url) as browser:
        assert (await browser.get("/signup")).status == 403
        assert "/signup" not in (await browser.get("/login")).text


async def test_names_of_the_unconfirmed_are_free_again(instance: Instance) -> None:
    def unit(tx: Connection) -> None:
        for name, age, confirmed in (("old", 9, False), ("young", 1, False), ("kept", 9, True)):
            account = directory.local(tx, name)
            assert account is not None
            person = people.by_actor(tx, account.id)
            assert person is not None
            then = clock.now() - age * clock.DAY
            tx.execute(
                people_table.update()
                .where(people_table.c.id == person.id)
                .values(created_at=then, confirmed_at=then if confirmed else None)
            )
        signing_up.forget_unconfirmed(tx, now=clock.now())
        assert [name for name in ("old", "young", "kept") if directory.local(tx, name)] == ["young", "kept"]
        assert people.by_email(tx, "old@example.com") is None

    old = await instance.account("old")
    fan, _ = await instance.account("young"), await instance.account("kept")
    await instance.call("POST", f"/api/v1/accounts/{old.id}/follow", by=fan)
    await instance.database.write(unit)


def settings_of(postbox: Postbox, **changes: Any) -> Settings:
    return Settings(**{"smtp_url": postbox.url, "base_url": "https://social.example:8443", **changes})


async def test_a_mail_waits_for_a_server_that_refuses_it_for_now(postbox: Postbox) -> None:
    mailer = Mailer(settings_of(postbox))
    await mailer.try_out()
    postbox.answers[:] = ["451 try again", "250 OK but kept"]
    letter = Letter("rejected", "Jörg@bücher.example", {"instance": "A\r\nBcc: x@y", "base_url": "https://x"})
    with pytest.raises(MailError, match="451") as refused:
        await mailer.send(Letter("rejected", "a@example.com", letter.values))
    assert "a@example.com" not in str(refused.value)
    with pytest.raises(MailError, match="450"):
        await mailer.send(Letter("rejected", "busy@example.com", letter.values))
    await mailer.send(Letter("rejected", "nobody@example.com", letter.values))  # will never be taken
    message = mailer.compose(letter)
    assert message["To"] == "Jörg@xn--bcher-kva.example"
    assert message["From"] == '"A Bcc: x@y" <no-reply@social.example>'
    assert message["Bcc"] is None
    for hostile in ("a\r\nBcc: x@example.com", "a@b\nSubject: x", ""):
        with pytest.raises(ValueError, match=r"."):
            mailer.compose(Letter("rejected", hostile, letter.values))
        await mailer.send(Letter("rejected", hostile, letter.values))
    assert postbox.taken == []
    wrong = Mailer(settings_of(postbox, smtp_url=postbox.url.replace("p%3A", "q")))
    with pytest.raises(MailError, match="535"):
        await wrong.try_out()


@pytest.mark.parametrize(
    ("url", "port", "tls", "start_tls"),
    [
        ("smtp://u:p@mail.example", 587, False, True),
        ("smtp://mail.example:2525", 2525, False, None),
        ("smtps://u:p@mail.example", 465, True, False),
        ("smtp://localhost", 25, False, False),
    ],
)
def test_how_mail_is_handed_in(url: str, port: int, tls: bool, start_tls: bool | None) -> None:
    server = SmtpServer.of(Settings(smtp_url=url))
    assert (server.port, server.tls, server.start_tls) == (port, tls, start_tls)


@pytest.mark.parametrize("url", ["http://x", "smtp://", "smtp://x:99999", "smtp://x/path", "localhost:25"])
def test_settings_that_are_no_server(url: str) -> None:
    with pytest.raises(SettingsError, match="FEDIVERSE_SMTP_URL"):
        load(smtp_url=url)
