"""Recordings, their pauses, markers and holds."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    files()
    about()


def files() -> None:
    """Make the recordings, and how far calls were looked at."""
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("mark", sa.String(64), nullable=False),
        sa.Column("pbx", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_key", sa.String(64), nullable=False),
        sa.Column("take", sa.Integer, nullable=False),
        sa.Column("source_size", sa.BigInteger, nullable=False),
        sa.Column("source_changed", sa.BigInteger, nullable=False),
        sa.Column("call", sa.String(32)),
        sa.Column("named_by", sa.String(16)),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("person", sa.String(32)),
        sa.Column("customer", sa.String(32)),
        sa.Column("began", sa.DateTime(timezone=True)),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("rate", sa.Integer, nullable=False),
        sa.Column("channels", sa.Integer, nullable=False),
        sa.Column("left", sa.String(16), nullable=False),
        sa.Column("silence_share", sa.Float),
        sa.Column("peaks", sa.LargeBinary),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("key_id", sa.String(64)),
        sa.Column("mended", sa.Boolean, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True)),
        sa.Column("gone_at", sa.DateTime(timezone=True)),
        sa.Column("gone_reason", sa.Text, nullable=False),
        sa.UniqueConstraint("mark", name="uq_recordings_mark"),
    )
    for column in ("source_key", "call", "sha256", "place"):
        op.create_index(f"ix_recordings_{column}", "recordings", [column])
    for column in ("state", "customer", "person"):
        op.create_index(f"ix_recordings_{column}_id", "recordings", [column, "id"])
    op.create_table(
        "recording_cursors",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("call", sa.String(32), nullable=False),
    )


def about() -> None:
    """Make what people say and do about recordings."""
    op.create_table(
        "recording_pauses",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("recording", sa.String(32)),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("person", sa.String(32), nullable=False),
    )
    op.create_table(
        "recording_markers",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "recording",
            sa.String(32),
            sa.ForeignKey("recordings.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("person", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "recording_holds",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("why", sa.String(32), nullable=False),
        sa.Column("ref", sa.String(64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("person", sa.String(32), nullable=False),
    )
    for table, column in (("pauses", "call"), ("markers", "recording"), ("holds", "call")):
        op.create_index(f"ix_recording_{table}_{column}", f"recording_{table}", [column])
