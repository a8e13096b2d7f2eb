"""Why a recording was deleted, and what a person says who holds one; quality: draws and scores."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, for tombstones and holds were not made before; make the tables."""
    policy = sa.Column("gone_policy", sa.String(64), nullable=False, server_default="")
    op.add_column("recordings", policy)
    reason = sa.Column("reason", sa.Text, nullable=False, server_default="")
    op.add_column("recording_holds", reason)
    quality()


def quality() -> None:
    """Make the draws and the samples with their scores."""
    op.create_table(
        "quality_draws",
        sa.Column("person", sa.String(32), primary_key=True),
        sa.Column("week", sa.Date, primary_key=True),
        sa.Column("seed", sa.String(64), nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("drawn", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
    )
    op.create_table(
        "quality_samples",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("person", sa.String(32), nullable=False),
        sa.Column("week", sa.Date, nullable=False),
        sa.Column("recording", sa.String(32), nullable=False),
        sa.Column("call", sa.String(32)),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("scored_by", sa.String(32), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True)),
        sa.Column("answers", sa.Text, nullable=False),
        sa.Column("points", sa.String(8)),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("objection", sa.Text, nullable=False),
        sa.Column("objected_at", sa.DateTime(timezone=True)),
        sa.Column("verdict", sa.String(16)),
        sa.Column("decided_by", sa.String(32), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("before", sa.String(8)),
        sa.UniqueConstraint("recording", name="uq_quality_samples_recording"),
    )
    op.create_index("ix_quality_samples_call", "quality_samples", ["call"])
    for column in ("state", "person"):
        op.create_index(f"ix_quality_samples_{column}_id", "quality_samples", [column, "id"])
