"""Catalogues: which were taken in, and what upstream has withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "catalogue",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("issued", sa.Text, nullable=False),
        sa.Column("next_expected", sa.Text, nullable=False),
        sa.Column("valid_until", sa.Text, nullable=False),
        sa.Column("imported", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
    )
    op.create_table(
        "withdrawal",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("as_of", sa.Text, nullable=False),
        sa.Column(
            "since",
            sa.Integer,
            sa.ForeignKey("catalogue.sequence"),
            nullable=False,
        ),
        sa.Column("until", sa.Integer, sa.ForeignKey("catalogue.sequence")),
        sqlite_with_rowid=False,
    )
