"""Recordings: what a pause is for, consent, originals beside what was converted, holds of one."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; make the tables."""
    op.add_column(
        "recording_pauses", sa.Column("why", sa.String(16), nullable=False, server_default="asked")
    )
    op.add_column("recording_pauses", sa.Column("until", sa.DateTime(timezone=True)))
    op.add_column("recording_holds", sa.Column("recording", sa.String(32)))
    op.create_index("ix_recording_holds_recording", "recording_holds", ["recording"])
    op.create_table(
        "recording_consents",
        sa.Column("call", sa.String(32), primary_key=True),
        sa.Column("told", sa.String(16), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True)),
        sa.Column("refused_by", sa.String(32)),
    )
    op.create_table(
        "recording_originals",
        sa.Column("recording", sa.String(32), primary_key=True),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("key_id", sa.String(64)),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=False),
        sa.Column("converted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dropped_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_recording_originals_place", "recording_originals", ["place"])
