"""The papers say what the code does: endpoints, links between files, commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fediverse import api
from fediverse.app import create_app
from fediverse.cli import cli
from fediverse.settings import Settings
from tests.support.entities import unnamed
from tests.test_api_oauth import ENDPOINTS

ROOT = Path(__file__).parent.parent
PAPERS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "FEDERATION.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
CLIENT_API = ROOT / "docs" / "client-api.md"
ROW = re.compile(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)
BEYOND_ROOM = ("/oauth/",)  # the consent page is one of the pages


def documented() -> dict[tuple[str, str], str]:
    """The scope column of the client API's paper, by method and path."""
    return {(method, path): scope for method, path, scope in ROW.findall(CLIENT_API.read_text())}


def test_the_client_api_paper_names_every_endpoint_and_no_other(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path), run_workers=False)
    served = {
        # Each is served with a slash at the end, too.
        (route.method, route.resource.canonical.rstrip("/"))
        for route in app.router.routes()
        if route.resource is not None
        and route.method != "HEAD"
        and (
            route.handler.__module__.startswith(api.__name__ + ".") or route.resource.canonical.startswith(BEYOND_ROOM)
        )
    }
    assert set(documented()) == served


def test_the_client_api_paper_names_what_is_left_out(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path), run_workers=False)
    served = {(route.method, unnamed(route.resource.canonical)) for route in app.router.routes() if route.resource}
    section = CLIENT_API.read_text().partition("## Left out")[2].partition("\n## ")[0]
    named = [unnamed(path) for path in re.findall(r"`(/[^`]+)`", section)]
    described = json.loads((ROOT / "tests" / "data" / "client_api_requests.json").read_text())["paths"]
    missing = [
        (method.upper(), path)
        for path, methods in described.items()
        for method in methods
        if (method.upper(), unnamed(path)) not in served and not any(unnamed(path).startswith(one) for one in named)
    ]
    assert missing == []


@pytest.mark.parametrize(("method", "path", "scope"), ENDPOINTS)
def test_the_client_api_paper_names_the_scope_that_opens(method: str, path: str, scope: str) -> None:
    asked = re.sub(r"\{(\w+)\}", "1", path.partition("?")[0])
    fitting = [
        column
        for (documented_method, template), column in documented().items()
        if documented_method == method and re.fullmatch(re.sub(r"\{\w+\}", r"\\w+", template), asked)
    ]
    # "/accounts/search" fits "/accounts/{id}" too.
    assert any(f"`{scope}`" in column for column in fitting)


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_links_between_papers_lead_somewhere(paper: Path) -> None:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", paper.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = paper.parent / name if name else paper
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            lost.append(target)
    assert lost == []


def _anchors(paper: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", paper.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_commands_in_papers_exist(paper: Path) -> None:
    lost = []
    for line in re.findall(
        r"\bfediverse ((?:serve|work|db|check|account|token|domain|status|audit|delivery)(?: [a-z-]+)?)",
        paper.read_text(),
    ):
        name, _, second = line.partition(" ")
        command = cli.commands[name]
        subcommands = getattr(command, "commands", None)
        if subcommands is not None and second and second not in subcommands:
            lost.append(line)
    assert lost == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_settings_in_papers_exist(paper: Path) -> None:
    known = {f"FEDIVERSE_{name.upper()}" for name in Settings.model_fields} | {"TEST_ALL"}
    assert set(re.findall(r"FEDIVERSE_[A-Z_]+", paper.read_text())) - known == set()
