"""Calls with their offers, queue visits, talks and legs; link gaps; hints to screens."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of calls."""
    calls()
    parts()
    rest()


def calls() -> None:
    """Make the calls."""
    op.create_table(
        "calls",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("pbx", sa.String(32), nullable=False),
        sa.Column("boot", sa.String(128), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("caller", sa.Text),
        sa.Column("caller_name", sa.Text),
        sa.Column("raw", sa.JSON),
        sa.Column("number", sa.String(64), index=True),
        sa.Column("dialled", sa.Text),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), index=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.String(16)),
        sa.Column("reason", sa.String(32)),
        sa.Column("agent", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("agent_leg", sa.Text),
        sa.Column("person", sa.String(32), index=True),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("rang_at", sa.DateTime(timezone=True)),
        sa.Column("rings", sa.Integer),
        sa.Column("ring_ms", sa.BigInteger),
        sa.Column("wait_ms", sa.BigInteger),
        sa.Column("talk_ms", sa.BigInteger),
        sa.Column("ended_by", sa.String(16)),
        sa.Column("queues", sa.JSON, nullable=False),
        sa.Column("recordings", sa.JSON, nullable=False),
        sa.Column("customer", sa.String(32), index=True),
        sa.Column("house", sa.String(64), nullable=False),
        sa.Column("approximate", sa.Boolean, nullable=False),
        sa.Column("over", sa.Boolean, nullable=False),
        sa.Column("merged_into", sa.String(32)),
        sa.Column("evidence", sa.Text),
        sa.Index("ix_calls_live", "over"),
    )


def parts() -> None:
    """Make what calls consist of."""
    op.create_table(
        "offers",
        sa.Column(
            "call", sa.String(32), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("person", sa.String(32), index=True),
        sa.Column("devices", sa.JSON, nullable=False),
        sa.Column("channels", sa.JSON, nullable=False),
        sa.Column("began", sa.DateTime(timezone=True)),
        sa.Column("rang_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("ring_ms", sa.BigInteger),
        sa.Column("outcome", sa.String(32)),
    )
    op.create_table(
        "queue_visits",
        sa.Column(
            "call", sa.String(32), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True)),
        sa.Column("left_at", sa.DateTime(timezone=True)),
        sa.Column("abandoned", sa.Boolean, nullable=False),
    )
    op.create_table(
        "talks",
        sa.Column(
            "call", sa.String(32), sa.ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("n", sa.Integer, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("person", sa.String(32), index=True),
        sa.Column("began_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "legs",
        sa.Column("pbx", sa.String(32), primary_key=True),
        sa.Column("boot", sa.String(128), primary_key=True),
        sa.Column("uniqueid", sa.String(150), primary_key=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column(
            "call",
            sa.String(32),
            sa.ForeignKey("calls.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
    )


def rest() -> None:
    """Make link gaps and hints."""
    op.create_table(
        "link_gaps",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("pbx", sa.String(32), nullable=False),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("back_at", sa.DateTime(timezone=True)),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("restarted", sa.Boolean, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("audience", sa.String(32), nullable=False, index=True),
        sa.Column("call", sa.String(32), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "outbox_epoch",
        sa.Column("id", sa.String(32), primary_key=True),
    )
