"""Who takes part in the demo, and what they say: two invented companies and their people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.demo import pictures

PASSWORD = "demo-password"  # noqa: S105 the demo listens on the loopback only, and says so


@dataclass(frozen=True, slots=True)
class Person:
    """One account; ``key`` is its user name."""

    key: str
    name: str
    bio: str
    colour: str
    initials: str


@dataclass(frozen=True, slots=True)
class Brand:
    """One instance. The first of its people is the company's own account, which owns the instance."""

    name: str
    port: int
    colour: str
    description: str
    website: str
    rules: str
    logo: Callable[[str], bytes]
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Post:
    """Somebody posts. ``@key`` in the text becomes that account's handle, as seen from the author's instance."""

    key: str
    by: str
    text: str
    reply_to: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody does something with a post: ``favourite``, ``reblog`` or ``pin``."""

    by: str
    verb: str
    post: str


NORTHWIND = Brand(
    name="Northwind Coffee",
    port=8001,
    colour="#9a4a1f",
    description="What is roasting, what is brewing, and when the door is open. News from Northwind Coffee.",
    website="https://northwind.example",
    rules="Be kind.\nNo advertising but ours.",
    logo=pictures.cup,
    people=(
        Person("northwind", "Northwind Coffee", "Roastery and café on Quay Street.", "#9a4a1f", "NC"),
        Person("mira", "Mira", "Head roaster at Northwind. Smells like it.", "#7a2e4d", "M"),
        Person("tomas", "Tomas", "Behind the bar at Northwind, mostly mornings.", "#2f6b4f", "T"),
    ),
)
HARBOUR = Brand(
    name="Harbour Books",
    port=8002,
    colour="#1c5d7a",
    description="New and second-hand books, two floors, one cat. The people of Harbour Books talk here.",
    website="https://harbourbooks.example",
    rules="Be kind.\nMark spoilers.",
    logo=pictures.book,
    people=(
        Person("harbourbooks", "Harbour Books", "New and second-hand books by the old harbour.", "#1c5d7a", "HB"),
        Person("ines", "Ines", "Bookseller. I will find it if you remember the colour.", "#8a5a00", "I"),
        Person("jonah", "Jonah", "Readings, signings and too many chairs at Harbour Books.", "#4b4aa8", "J"),
    ),
)
BRANDS = (NORTHWIND, HARBOUR)

# (who, whom): within one instance and across.
FOLLOWS = (
    ("mira", "northwind"),
    ("tomas", "northwind"),
    ("mira", "tomas"),
    ("tomas", "mira"),
    ("northwind", "mira"),
    ("ines", "harbourbooks"),
    ("jonah", "harbourbooks"),
    ("ines", "jonah"),
    ("jonah", "ines"),
    ("harbourbooks", "jonah"),
    ("northwind", "harbourbooks"),
    ("harbourbooks", "northwind"),
    ("mira", "ines"),
    ("ines", "mira"),
    ("tomas", "jonah"),
    ("jonah", "tomas"),
    ("mira", "jonah"),
    ("tomas", "ines"),
    ("jonah", "northwind"),
    ("ines", "northwind"),
    ("mira", "harbourbooks"),
)

SCRIPT: tuple[Post | Act, ...] = (
    Post(
        "hello-nw", "northwind", "Roasted on Quay Street, poured next door. Hours, beans, wholesale: just ask us here."
    ),
    Act("northwind", "pin", "hello-nw"),
    Post(
        "hello-hb",
        "harbourbooks",
        "Open Tuesday to Sunday, 10 to 18. The cat is called Index and does not take questions.",
    ),
    Act("harbourbooks", "pin", "hello-hb"),
    Post(
        "guji",
        "mira",
        "Last roast of this year's Guji today. Peach, jasmine, and too much excitement on my side. #coffee",
    ),
    Post("keep", "ines", "@mira Could you keep a bag for tonight's reading group?", reply_to="guji"),
    Act("ines", "favourite", "guji"),
    Post("kept", "mira", "@ines Done. It is behind the counter with your name on it.", reply_to="keep"),
    Post(
        "tonight",
        "jonah",
        "Tonight at 19: The Lighthouse Ledger, chapters 1 to 4. Coffee by @northwind #readinggroup #books",
    ),
    Act("northwind", "reblog", "tonight"),
    Act("mira", "favourite", "tonight"),
    Act("ines", "favourite", "tonight"),
    Post("unread", "tomas", "@jonah Can I come without having read a word? Asking for a barista.", reply_to="tonight"),
    Post("chair", "jonah", "@tomas Half of us have only read the blurb. Bring a chair.", reply_to="unread"),
    Act("tomas", "favourite", "chair"),
    Post("lamp", "ines", "It was in the lamp all along. I need somebody to talk to.", warning="Chapter 4"),
    Post("why", "tomas", "@ines I opened this anyway. Why did I open this.", reply_to="lamp"),
    Act("mira", "favourite", "lamp"),
    Post(
        "winter",
        "northwind",
        "Our winter blend is back, and wholesale prices with it: https://northwind.example/winter #coffee",
    ),
    Act("harbourbooks", "favourite", "winter"),
    Act("ines", "reblog", "winter"),
    Post(
        "thanks",
        "harbourbooks",
        "31 people, four chapters, no coffee left. Thank you, @northwind. Again in two weeks. #readinggroup",
    ),
    Act("northwind", "favourite", "thanks"),
    Act("northwind", "reblog", "thanks"),
    Act("mira", "favourite", "thanks"),
)


def brand_of(key: str) -> Brand:
    """The company that the account belongs to."""
    return next(brand for brand in BRANDS if any(person.key == key for person in brand.people))


def handle(key: str, seen_from: str) -> str:
    """``@name``, with the host where the account is on the other instance."""
    brand = brand_of(key)
    return f"@{key}" if brand is brand_of(seen_from) else f"@{key}@127.0.0.1:{brand.port}"


def words(post: Post) -> str:
    """The post's text with full handles."""
    text = post.text
    for brand in BRANDS:
        for person in brand.people:
            text = text.replace(f"@{person.key}", handle(person.key, post.by))
    return text
