"""HTTP servers written byte by byte, for answers that no proper server gives, and for counting who called."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

AP = "application/activity+json"


def words(text: str) -> list[str]:
    """The words of a text, for long lists in parametrized tests."""
    return text.split()


@dataclass
class Request:
    """What arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Wire:
    """A listening server. ``answers`` maps a path (with query) to the bytes that are sent, or to a script."""

    port: int = 0
    answers: dict[str, bytes | Script] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    #: The local address of every connection that was accepted.
    accepted: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The base URL on 127.0.0.1."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted.append(writer.get_extra_info("sockname")[0])
        try:
            while request := await _read(reader):
                self.requests.append(request)
                given = self.answers.get(request.path, answer(404))
                if isinstance(given, bytes):
                    writer.write(given)
                    await writer.drain()
                else:
                    await given(request, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left, which is often what is tested
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, path, _ = first.split(" ")
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP answer; a header's ``_`` stands for ``-``."""
    lines = [f"HTTP/1.1 {status} X"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Transfer_Encoding" not in headers and "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@asynccontextmanager
async def listening(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Wire]:
    """A server on a port of its own; closed, with its connections, at the end."""
    wire = Wire()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(wire._serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, host, port, ssl=tls)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def certificate(folder: Path, *names: str) -> tuple[str, ssl.SSLContext]:
    """A CA file, and a server's TLS context with a certificate of that CA for the names and 127.0.0.1."""
    ca_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])
    now = datetime.now(UTC)

    def builder(subject: x509.Name) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )

    ca = (
        builder(issuer)
        .public_key(ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, SHA256())
    )
    alternatives = [x509.DNSName(name) for name in names] + [x509.IPAddress(IPv4Address("127.0.0.1"))]
    leaf = (
        builder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")]))
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(ca_key, SHA256())
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "peer.pem").write_bytes(private + leaf.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "peer.pem")
    return str(folder / "ca.pem"), context
