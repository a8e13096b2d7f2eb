"""Return visits and their attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    visits()
    attempts()


def visits() -> None:
    """Make the visits."""
    op.create_table(
        "visits",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("origin", sa.String(160), nullable=False),
        sa.Column("customer", sa.String(26), sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(24), nullable=False),
        sa.Column("period", sa.String(32), nullable=False),
        sa.Column("event", sa.String(32)),
        sa.Column("campaign", sa.String(32)),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("form", sa.String(64), nullable=False),
        sa.Column("script", sa.String(64), nullable=False),
        sa.Column("channels", sa.JSON, nullable=False),
        sa.Column("by", sa.String(24), nullable=False),
        sa.Column("at", sa.Time),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("give_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appointment_at", sa.DateTime(timezone=True)),
        sa.Column("owner", sa.String(32)),
        sa.Column("held_by", sa.String(32)),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("dial_at", sa.DateTime(timezone=True)),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("explanations", sa.Integer, nullable=False),
        sa.Column("avoid_agent", sa.String(32)),
        sa.Column("avoid_daypart", sa.String(24)),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("warned", sa.SmallInteger, nullable=False),
        sa.Column("breached", sa.Boolean, nullable=False),
        sa.Column("breach_cause", sa.String(24), nullable=False),
        sa.Column("fallback_sent", sa.Boolean, nullable=False),
        sa.Column("outcome", sa.String(24)),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("merged_into", sa.String(32)),
        sa.Column("ended_by", sa.String(32)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("origin", name="uq_visits_origin"),
    )
    for column in ("event", "campaign", "merged_into"):
        op.create_index(f"ix_visits_{column}", "visits", [column])
    for name, columns, where in (
        ("free", ["owner", "due_at", "next_at", "id"], "state = 'open'"),
        ("appointments", ["appointment_at"], "appointment_at IS NOT NULL AND ended_at IS NULL"),
        ("open", ["due_at", "id"], "ended_at IS NULL"),
        ("look", ["look_at"], "ended_at IS NULL"),
    ):
        op.create_index(
            f"ix_visits_{name}",
            "visits",
            columns,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    for name, column, where in (
        ("held_customer", "customer", "held_by IS NOT NULL"),
        ("busy", "held_by", "state IN ('claimed', 'in_attempt')"),
    ):
        op.create_index(
            f"uq_visits_{name}",
            "visits",
            [column],
            unique=True,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    op.create_index("ix_visits_customer", "visits", ["customer", "due_at"])
    op.create_index("ix_visits_period", "visits", ["rule", "period", "state"])


def attempts() -> None:
    """Make the attempts."""
    op.create_table(
        "visit_attempts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("visit", sa.String(32), sa.ForeignKey("visits.id"), nullable=False),
        sa.Column("customer", sa.String(32), nullable=False),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("purpose", sa.String(24), nullable=False),
        sa.Column("daypart", sa.String(24), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("allowed", sa.String(32), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.String(24)),
        sa.Column("counts", sa.Boolean, nullable=False),
        sa.Column("call", sa.String(32)),
    )
    op.create_index("ix_visit_attempts_visit", "visit_attempts", ["visit"])
    op.create_index("ix_visit_attempts_customer", "visit_attempts", ["customer", "began_at"])
    op.create_index("ix_visit_attempts_agent", "visit_attempts", ["agent", "began_at"])
    op.create_index(
        "uq_visit_attempts_live",
        "visit_attempts",
        ["customer"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
