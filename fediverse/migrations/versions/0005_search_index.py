"""An index of the words of posts; what is stored already is indexed by a job."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LAST_ID = (1 << 63) - 1


def upgrade() -> None:
    """Applies the change."""
    if op.get_bind().dialect.name == "sqlite":
        words = "words, columnsize=0, tokenize=\"ascii tokenchars '_'\""
        op.execute(sa.text(f"CREATE VIRTUAL TABLE status_words USING fts5({words})"))
        op.execute(sa.text(f"CREATE VIRTUAL TABLE actor_words USING fts5({words}, prefix='1 2 3')"))
    else:
        _with_vectors("status_words", "status_id", "statuses")
        _with_vectors("actor_words", "actor_id", "actors")
    jobs = sa.table(
        "jobs",
        sa.column("id", sa.BigInteger),
        sa.column("kind", sa.Text),
        sa.column("payload", sa.JSON),
        sa.column("unique_key", sa.Text),
        sa.column("due_at", sa.BigInteger),
    )
    actors = sa.table("actors", sa.column("id", sa.BigInteger))
    if op.get_bind().scalar(sa.select(actors.c.id).limit(1)) is not None:
        for number, payload in enumerate(({"author_id": None, "before": _LAST_ID}, {"actors_after": 0}), 1):
            values = {"id": number, "kind": "reindex", "payload": payload, "unique_key": f"reindex:{number}"}
            op.execute(jobs.insert().values(**values, due_at=0))


def _with_vectors(name: str, key: str, owner: str) -> None:
    op.execute(
        sa.text(
            f"CREATE TABLE {name} ({key} BIGINT NOT NULL CONSTRAINT pk_{name} PRIMARY KEY"
            f" REFERENCES {owner} (id) ON DELETE CASCADE, words TSVECTOR NOT NULL)"
        )
    )
    op.execute(sa.text(f"CREATE INDEX ix_{name}_words ON {name} USING gin (words)"))
