"""Which release names which blob, in a table of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table from the files there are, in place of their index."""
    op.create_table(
        "named",
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("release", sa.Integer, primary_key=True),
        sa.Column("size", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO named (sha256, release, size)"
        " SELECT sha256, release, max(size) FROM file"
        " GROUP BY sha256, release ORDER BY sha256, release"
    )
    op.drop_index("file_by_sha256", "file")
