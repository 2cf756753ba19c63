"""A browser without JavaScript: keeps cookies, reads pages as browsers do (html5lib), fills in forms and sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

import aiohttp
import html5lib
from yarl import URL


@dataclass
class Form:
    """A form as it was filled in by the server."""

    action: str
    method: str
    fields: dict[str, str]
    #: (name, value, formaction) of the buttons.
    buttons: list[tuple[str, str, str]]
    types: dict[str, str]


@dataclass
class PageSeen:
    """A page, or another answer."""

    url: str
    status: int
    headers: Any
    text: str
    body: bytes
    tree: Element = field(repr=False)

    def all(self, tag: str) -> list[Element]:
        """The elements of that name, in order."""
        return list(self.tree.iter(tag))

    @property
    def forms(self) -> list[Form]:
        """The forms of the page, in order."""
        return [_form(element, self.url) for element in self.all("form")]

    def form(self, action: str) -> Form:
        """The form (or the button of one) that leads to this path."""
        for form in self.forms:
            if urlsplit(form.action).path == action:
                return form
            for _, _, formaction in form.buttons:
                if formaction == action:
                    return Form(urljoin(self.url, action), form.method, form.fields, form.buttons, form.types)
        raise AssertionError(f"no form leads to {action} on {self.url}: {self.text[:300]}")

    @property
    def words(self) -> str:
        """The text that is shown."""
        return " ".join(" ".join(self.tree.itertext()).split())


def _form(element: Element, url: str) -> Form:
    fields: dict[str, str] = {}
    types: dict[str, str] = {}
    buttons = []
    for part in element.iter():
        name = part.get("name", "")
        if part.tag == "button":
            buttons.append((name, part.get("value", ""), part.get("formaction", "")))
        if not name:
            continue
        kind = part.get("type", "text")
        if part.tag == "input" and kind in {"checkbox", "radio"}:
            if part.get("checked") is not None:
                fields[name] = part.get("value", "on")
        elif part.tag == "input" and kind != "file":
            fields[name] = part.get("value", "")
        elif part.tag == "textarea":
            fields[name] = "".join(part.itertext())
        elif part.tag == "select":
            options = list(part.iter("option"))
            chosen = [o for o in options if o.get("selected") is not None] or options[:1]
            fields[name] = chosen[0].get("value", "") if chosen else ""
        types[name] = kind
    return Form(urljoin(url, element.get("action") or url), element.get("method", "get"), fields, buttons, types)


class Browser:
    """One person's browser."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @property
    def cookies(self) -> dict[str, str]:
        """What the server would be sent."""
        return {name: morsel.value for name, morsel in self._session.cookie_jar.filter_cookies(URL(self.base)).items()}

    def plant(self, name: str, value: str) -> None:
        """The browser has that cookie, as an attacker would have it."""
        self._session.cookie_jar.update_cookies({name: value}, response_url=URL(self.base))

    async def request(self, method: str, path: str, *, follow: bool = True, **options: Any) -> PageSeen:
        """What is shown in the end; ``follow=False`` stops at the first redirect."""
        url = urljoin(self.base + "/", path)
        async with self._session.request(method, url, allow_redirects=follow, **options) as answer:
            body = await answer.read()
            text = body.decode("utf-8", "replace")
            tree = html5lib.parse(text, treebuilder="etree", namespaceHTMLElements=False)
            return PageSeen(str(answer.url), answer.status, answer.headers, text, body, tree)

    async def get(self, path: str, **options: Any) -> PageSeen:
        """The page at a path."""
        return await self.request("GET", path, **options)

    async def send(self, form: Form, *, follow: bool = True, headers: Any = None, **changes: Any) -> PageSeen:
        """The form, sent with these fields changed; a field that is None is left out."""
        fields = {name: value for name, value in {**form.fields, **changes}.items() if value is not None}
        if form.method != "post":
            return await self.request("GET", form.action, params=fields, follow=follow, headers=headers)
        data: Any = fields
        if any(isinstance(value, bytes) for value in fields.values()):
            data = aiohttp.FormData()
            for name, value in fields.items():
                if isinstance(value, bytes):
                    data.add_field(name, value, filename="../../x.php", content_type="image/png")
                else:
                    data.add_field(name, value)
        return await self.request("POST", form.action, data=data, follow=follow, headers=headers)

    async def sign_in(self, login: str, password: str) -> PageSeen:
        """The page after the form for signing in."""
        page = await self.get("/login")
        return await self.send(page.form("/login"), login=login, password=password)
