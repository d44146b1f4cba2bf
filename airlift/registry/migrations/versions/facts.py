"""Facts of blobs, by the rules they were found by."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "blob_fact",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("rules", sa.Text, primary_key=True),
        sa.Column("looked", sa.Text, nullable=False),
        sa.Column("facts", sa.Text),
        sqlite_with_rowid=False,
    )
