"""The log proves itself: a tree over the events, and checkpoints of it."""

import json

import sqlalchemy as sa
from alembic import op

from airlift.errors import RegistryError
from airlift.format import canonical, merkle

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the events there are become the first leaves."""
    for column in (
        sa.Column("floor", sa.Text, nullable=False, server_default=""),
        sa.Column("metadata", sa.Text),
        sa.Column("tool", sa.Text, nullable=False, server_default=""),
    ):
        op.add_column("event", column)
    op.create_table(
        "log_node",
        sa.Column("level", sa.Integer, primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("public", sa.LargeBinary(32), nullable=False),
    )
    for table in ("log_node", "checkpoint"):
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the log only grows'); END"
            )
    _plant(op.get_bind())


def _plant(connection: sa.Connection) -> None:
    """Make the tree of the events that were recorded before there was one."""
    words = ("time", "actor", "action", "subject", "outcome")
    found = connection.execute(
        sa.text(
            "SELECT number, time, actor, action, subject, outcome, detail FROM event"
            " ORDER BY number"
        )
    )
    edge = merkle.Range()
    for row in found.all():
        if row.number != edge.size + 1:
            problem = f"event {edge.size + 1} is missing from the log"
            hint = "run `airlift rebuild`: it makes the log again from records"
            raise RegistryError(problem, hint=hint)
        entry = {
            "number": row.number,
            **{word: getattr(row, word) for word in words},
            "detail": json.loads(row.detail) if row.detail else {},
            "floor": "",
            "metadata": {},
            "tool": "",
        }
        connection.execute(
            sa.text("INSERT INTO log_node (level, place, hash) VALUES (:l, :p, :h)"),
            [
                {"l": one.level, "p": one.index, "h": one.hash}
                for one in edge.append(merkle.leaf_hash(canonical.encode(entry)))
            ],
        )
