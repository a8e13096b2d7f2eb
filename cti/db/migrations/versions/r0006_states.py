"""In which state each agent was; indexes by which reports count calls."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "agent_states",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("person", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
    )
    op.create_index("ix_agent_states_person_began_at", "agent_states", ["person", "began_at"])
    op.create_index(
        "ix_agent_states_open",
        "agent_states",
        ["person"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("calls", sa.Column("slot", sa.Integer))
    sqlite = op.get_bind().dialect.name == "sqlite"
    epoch = "strftime('%s', seen_at)" if sqlite else "floor(extract(epoch from seen_at))"
    op.execute(f"UPDATE calls SET slot = CAST({epoch} AS BIGINT) / 300")  # noqa: S608  ours
    op.create_index(
        "ix_calls_reports",
        "calls",
        [
            "direction",
            "over",
            "merged_into",
            "slot",
            "outcome",
            "person",
            "seen_at",
            "rings",
            "ring_ms",
            "wait_ms",
            "reason",
            "dialled",
            "id",
        ],
    )
    op.create_index("ix_queue_visits_queue", "queue_visits", ["queue", "call"])
