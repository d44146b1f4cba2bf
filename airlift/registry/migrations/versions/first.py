"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    _beliefs()
    _releases()
    _live_set()
    _log()


def _beliefs() -> None:
    op.create_table(
        "setting",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "trusted",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "counter",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("highest", sa.Integer, nullable=False),
        sa.Column("head", sa.LargeBinary(32)),
    )
    op.create_table(
        "delivery",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("issued", sa.Text, nullable=False),
        sa.Column("imported", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("signed_by", sa.Text),
        sa.Column("record", sa.LargeBinary, nullable=False),
    )


def _releases() -> None:
    op.create_table(
        "release",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("counter", sa.Integer, nullable=False),
        sa.Column("header", sa.Text),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
        sa.Column(
            "delivery", sa.Integer, sa.ForeignKey("delivery.sequence"), nullable=False
        ),
        sa.Column("imported", sa.Text, nullable=False),
    )
    op.create_index("release_by_name", "release", ["name", "kind", "counter"])
    op.create_table(
        "document",
        sa.Column(
            "release", sa.Integer, sa.ForeignKey("release.number"), primary_key=True
        ),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "release_ref",
        sa.Column(
            "release", sa.Integer, sa.ForeignKey("release.number"), primary_key=True
        ),
        sa.Column("ref", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "file",
        sa.Column(
            "release", sa.Integer, sa.ForeignKey("release.number"), primary_key=True
        ),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("git_oid", sa.Text),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("content_class", sa.Text, nullable=False),
        sa.Column("facts", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("file_by_sha256", "file", ["sha256"])


def _live_set() -> None:
    op.create_table(
        "generation",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("members", sa.Integer, nullable=False),
    )
    op.create_table(
        "member",
        sa.Column(
            "release", sa.Integer, sa.ForeignKey("release.number"), primary_key=True
        ),
        sa.Column(
            "since", sa.Integer, sa.ForeignKey("generation.number"), primary_key=True
        ),
        sa.Column("until", sa.Integer, sa.ForeignKey("generation.number")),
        sqlite_with_rowid=False,
    )
    op.create_index("member_by_until", "member", ["until"])
    op.create_table(
        "pin",
        sa.Column(
            "release", sa.Integer, sa.ForeignKey("release.number"), primary_key=True
        ),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_table(
        "deny",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("since", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )


def _log() -> None:
    op.create_table(
        "event",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
        sqlite_autoincrement=True,
    )
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER event_no_{verb} BEFORE {verb} ON event "
            "BEGIN SELECT RAISE(ABORT, 'the log only grows'); END"
        )
