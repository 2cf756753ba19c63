"""Mail goes out, in plain text, by the SMTP server of the settings."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fediverse import clock, jobs, letters
from fediverse.db import Database
from fediverse.letters import Letter
from fediverse.remote import trusted
from fediverse.settings import Settings
from fediverse.templating import FOLDER
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

_SECONDS: Final = 20.0
# Long enough for a link: a line that is longer than this would be encoded, and plain text be hard to read.
_POLICY: Final = SMTP.clone(max_line_length=300)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class MailError(Exception):
    """The SMTP server did not take a mail, or could not be reached; what it said names nobody."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in, and how."""

    host: str
    port: int
    username: str | None
    password: str | None
    #: Encrypted from the first byte.
    tls: bool
    #: STARTTLS: True needs it, None uses it where it is offered, False does without.
    start_tls: bool | None
    ca_file: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> SmtpServer:
        """The server of the settings. A password is told over an encrypted connection only, or within this machine."""
        parts = urlsplit(settings.smtp_url)
        host, tls = parts.hostname or "", parts.scheme == "smtps"
        local = host in _LOOPBACK
        start_tls = False if tls or local else True if parts.username else None
        return cls(
            host,
            parts.port or (465 if tls else 25 if local else 587),
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            tls,
            start_tls,
            str(settings.ca_file) if settings.ca_file else None,
        )

    def options(self) -> dict[str, Any]:
        """What aiosmtplib wants to know of it."""
        context: ssl.SSLContext | None = trusted(self.ca_file) if self.start_tls is not False or self.tls else None
        return {
            "hostname": self.host,
            "port": self.port,
            "username": self.username,
            "password": self.password,
            "use_tls": self.tls,
            "start_tls": self.start_tls,
            "tls_context": context,
            "timeout": _SECONDS,
        }


class Mailer:
    """Puts letters into words and sends them."""

    def __init__(self, settings: Settings) -> None:
        self._server = SmtpServer.of(settings)
        domain = urlsplit(f"//{settings.urls.domain}").hostname or "localhost"
        self._sender = settings.mail_from or f"no-reply@{domain}"
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "mail"),
            autoescape=False,  # noqa: S701 plain text
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            # Whatever stands in for a word is one line, so that nobody's name adds paragraphs.
            finalize=lambda value: " ".join(str(value).split()),
        )

    def compose(self, letter: Letter) -> EmailMessage:
        """The letter as a message. Raises ValueError for an address that mail cannot be sent to."""
        subject, _, text = self._templates.get_template(f"{letter.template}.txt").render(letter.values).partition("\n")
        name, domain = letter.values["instance"], self._sender.rpartition("@")[2]
        message = EmailMessage(policy=_POLICY)
        message["From"] = Address(" ".join(name.split()), addr_spec=self._sender)
        message["To"] = _address(letter.to)
        message["Subject"] = f"{subject} - {' '.join(name.split())}"
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain=domain)
        message["Auto-Submitted"] = "auto-generated"  # no holiday notes in return (RFC 3834)
        message.set_content(text)
        return message

    async def send(self, letter: Letter) -> None:
        """The SMTP server has the letter, or will never take it. Raises MailError when it may take it later."""
        import aiosmtplib  # noqa: PLC0415 heavy, and rarely needed

        try:
            message = self.compose(letter)
        except ValueError as error:
            log.warning("mail.no_address", template=letter.template, error=str(error))
            return
        try:
            await aiosmtplib.send(message, **self._server.options())
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = sorted({one.code for one in error.recipients})
            if any(code < 500 for code in codes):
                raise MailError(f"The SMTP server does not take a mail now: {codes}.") from None
            log.warning("mail.refused", template=letter.template, codes=codes)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailError(f"The SMTP server did not take a mail: {_reason(error)}.") from None

    async def try_out(self) -> None:
        """The SMTP server answers, and lets this instance in. Raises MailError with the reason otherwise."""
        import aiosmtplib  # noqa: PLC0415 heavy, and rarely needed

        try:
            async with aiosmtplib.SMTP(**self._server.options()) as server:
                await server.noop()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailError(_reason(error)) from None


def job_kinds(database: Database, urls: Urls, settings: Settings) -> dict[str, jobs.Job]:
    """The jobs of this room. Without an SMTP server mails are dropped: there is nobody to hand them to."""
    mailer = Mailer(settings) if settings.sends_mail else None

    async def send(payload: Mapping[str, Any]) -> None:
        if mailer is None:
            return
        letter = await database.write(letters.write, urls, payload, now=clock.now())
        if letter is not None:
            await mailer.send(letter)

    return {letters.KIND: send}


def _address(email: str) -> Address:
    local, _, domain = email.rpartition("@")
    if not local or not domain:
        raise ValueError("This is no e-mail address.")
    return Address(username=local, domain=domain.encode("idna").decode() if not domain.isascii() else domain)


def _reason(error: Exception) -> str:
    """What went wrong, without anybody's address in it."""
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code is not None else type(error).__name__
