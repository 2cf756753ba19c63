"""The house's rules that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from fediverse import migrations
from fediverse.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fediverse"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Imported inside functions, because they are large and rarely needed.
HEAVY = {"PIL", "pillow_heif", "av", "obstore", "alembic", "blurhash", "pywebpush", "selectolax", "aiosmtplib", "redis"}

# Which modules may write a table, beside migrations. Counters of actors are kept by those who count.
OWNERS = {
    "actors": {"actors", "statuses", "moderation"},
    "actor_keys": {"actors"},
    "people": {"actors"},
    "person_weeks": {"actors"},
    "person_addresses": {"actors"},
    "person_days": {"actors"},
    "memberships": {"actors"},
    "follows": {"actors"},
    "blocks": {"actors"},
    "mutes": {"actors"},
    "account_notes": {"actors"},
    "endorsements": {"actors"},
    "hidden_hosts": {"actors"},
    "imports": {"transfer"},
    "import_rows": {"transfer"},
    "statuses": {"statuses", "reactions", "moderation", "actors", "cards"},
    "status_edits": {"statuses", "actors"},
    "scheduled_statuses": {"scheduled", "actors"},
    "cards": {"cards"},
    "quote_authorizations": {"statuses"},
    "poll_votes": {"statuses", "actors"},
    "mentions": {"statuses", "actors"},
    "tags": {"statuses"},
    "status_tags": {"statuses", "actors"},
    "tombstones": {"statuses"},
    "favourites": {"reactions", "statuses", "actors"},
    "bookmarks": {"reactions", "statuses", "actors"},
    "pins": {"reactions", "statuses", "actors"},
    "conversation_mutes": {"reactions", "statuses"},
    "filters": {"filters"},
    "lists": {"lists"},
    "tag_follows": {"hashtags"},
    "featured_tags": {"hashtags"},
    "list_members": {"lists"},
    "filter_keywords": {"filters"},
    "filter_statuses": {"filters"},
    "filter_versions": {"filters"},
    "home_entries": {"timelines", "actors"},
    "notifications": {"notifications"},
    "conversations": {"conversations"},
    "conversation_statuses": {"conversations"},
    "push_subscriptions": {"push"},
    "pushes": {"push", "queue"},
    "notification_policies": {"notifications"},
    "notification_permissions": {"notifications"},
    "markers": {"notifications"},
    "received": {"inbox", "queue"},
    "activities": {"outbox"},
    "fanouts": {"outbox", "queue"},
    "deliveries": {"outbox", "queue"},
    "hosts": {"outbox"},
    "sessions": {"access"},
    "oauth_apps": {"access"},
    "oauth_codes": {"access"},
    "oauth_tokens": {"access"},
    "one_time_links": {"access"},
    "instance": {"instance"},
    "host_blocks": {"moderation"},
    "audit_log": {"moderation"},
    "jobs": {"jobs", "queue"},
    "pictures": {"media"},
    "reports": {"admin"},
    "status_words": {"search"},
    "suggestion_dismissals": {"suggestions"},
    "custom_emojis": {"emojis"},
    "announcements": {"announcements"},
    "announcement_reads": {"announcements"},
    "announcement_reactions": {"announcements"},
    "trends": {"trends"},
    "trend_reviews": {"trends"},
    "actor_words": {"search"},
    "attachments": {"media"},
    "account_warnings": {"admin"},
    "severances": {"admin"},
    "ip_blocks": {"admin"},
    "email_domain_blocks": {"admin"},
    "refused_sign_ups": {"admin"},
    "canonical_email_blocks": {"admin"},
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_stand_at_the_top_except_the_heavy_ones() -> None:
    strays = []
    for path in SOURCES:
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    found = {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found = {(node.module or "").split(".")[0]}
                else:
                    continue
                strays += [f"{_name(path)}:{node.lineno} {name}" for name in found - HEAVY]
    assert strays == []


def test_each_table_is_written_by_its_owners_only() -> None:
    strays = []
    for path in SOURCES:
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in {"migrations", "tables"}:
            continue
        for table, line in _writes(ast.parse(path.read_text())):
            if table in OWNERS and room not in OWNERS[table]:
                strays.append(f"{_name(path)}:{line} writes {table}")
    assert strays == []


def _writes(tree: ast.AST) -> list[tuple[str, int]]:
    """The tables that are written: insert(tx, T), update(T), delete(T), T.insert() and the like."""
    tables = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fediverse.tables.")
        for alias in node.names
    }
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name) and re.fullmatch(r"(sql_)?(insert|update|delete|upsert)", function.id):
            found += [(argument.id, node.lineno) for argument in node.args if isinstance(argument, ast.Name)]
        elif isinstance(function, ast.Attribute) and function.attr in {"insert", "update", "delete"}:
            found += [(function.value.id, node.lineno)] if isinstance(function.value, ast.Name) else []
    return [(tables[name], line) for name, line in found if name in tables]


def test_every_table_has_an_owner() -> None:
    made = re.findall(r"(?:op\.create_table\(\s*\"|CREATE VIRTUAL TABLE )(\w+)", _first_schema())
    assert set(made) == set(OWNERS)


def _first_schema() -> str:
    return "\n".join(path.read_text() for path in (PACKAGE / "migrations" / "versions").glob("*.py"))


def test_the_named_revision_is_the_newest_script() -> None:
    config = Config()
    config.set_main_option("script_location", str(PACKAGE / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_every_setting_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [name for name in Settings.model_fields if f"FEDIVERSE_{name.upper()}" not in readme]
    assert missing == []


def test_nothing_below_the_edges_awaits() -> None:
    plain = [
        *(PACKAGE / "statuses").glob("*.py"),
        *(PACKAGE / "timelines").glob("*.py"),
        *(PACKAGE / "notifications").glob("*.py"),
        *(PACKAGE / "documents").glob("*.py"),
        *(PACKAGE / "text").glob("*.py"),
        *(PACKAGE / "entities").glob("*.py"),
        *(PACKAGE / "loading").glob("*.py"),
        *(PACKAGE / "tables").glob("*.py"),
        *(PACKAGE / "access").glob("*.py"),
        *(PACKAGE / "admin").glob("*.py"),
        *(PACKAGE / "actors" / "directory").glob("*.py"),
        *(PACKAGE / name for name in ("reactions.py", "conversations.py", "moderation.py", "visibility.py")),
        *(PACKAGE / "actors" / name for name in ("relations.py", "people.py", "closing.py")),
        *(PACKAGE / "outbox" / name for name in ("activities.py", "publish.py", "retry.py", "hosts.py")),
        *(PACKAGE / "inbox" / name for name in ("posts.py", "reactions.py", "follows.py", "profiles.py", "store.py")),
    ]
    strays = [
        f"{_name(path)}:{node.lineno}"
        for path in plain
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]
    assert strays == []
