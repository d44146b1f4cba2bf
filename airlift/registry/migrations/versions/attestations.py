"""What travels beside releases."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nothing held so far has any."""
    op.create_table(
        "attestation",
        sa.Column(
            "release",
            sa.Integer,
            sa.ForeignKey("release.number"),
            primary_key=True,
        ),
        sa.Column("sha256", sa.LargeBinary(32), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
