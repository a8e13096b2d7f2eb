"""What return visits bring: records, opinions, promises, work items, campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    records()
    opinions()
    promises()
    work()
    campaigns()


def records() -> None:
    """Make the records."""
    op.create_table(
        "visit_records",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("visit", sa.String(32), sa.ForeignKey("visits.id"), nullable=False, unique=True),
        sa.Column("customer", sa.String(32), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("campaign", sa.String(32)),
        sa.Column("period", sa.String(32), nullable=False),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("channel", sa.String(24), nullable=False),
        sa.Column("place", sa.String(120), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("form", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("answers", sa.JSON, nullable=False),
        sa.Column("satisfaction", sa.String(24)),
        sa.Column("identity", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("call", sa.String(32)),
        sa.Column("talk_ms", sa.Integer),
        sa.Column("recorded", sa.Boolean, nullable=False),
        sa.Column("gap", sa.Text, nullable=False),
        sa.Column("effective", sa.Boolean, nullable=False),
        sa.Column("signed_by", sa.String(32)),
        sa.Column("signed_at", _INSTANT),
        sa.Column("signed_note", sa.Text, nullable=False),
    )
    for columns in (["call"], ["agent", "at"], ["customer", "at"], ["rule", "period"]):
        op.create_index(f"ix_visit_records_{'_'.join(columns)}", "visit_records", columns)
    op.create_index("ix_visit_records_campaign", "visit_records", ["campaign"])
    op.create_index("ix_visit_records_at_id", "visit_records", ["at", "id"])


def opinions() -> None:
    """Make the opinions."""
    op.create_table(
        "visit_opinions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("record", sa.String(32), sa.ForeignKey("visit_records.id"), nullable=False),
        sa.Column("visit", sa.String(32), nullable=False),
        sa.Column("customer", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("major", sa.Boolean, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("answered_by", sa.String(32)),
        sa.Column("answered_at", _INSTANT),
        sa.Column("at", _INSTANT, nullable=False),
    )
    for columns in (["record"], ["customer"], ["state", "id"]):
        op.create_index(f"ix_visit_opinions_{'_'.join(columns)}", "visit_opinions", columns)


def promises() -> None:
    """Make the promises."""
    op.create_table(
        "visit_promises",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("record", sa.String(32), sa.ForeignKey("visit_records.id"), nullable=False),
        sa.Column("visit", sa.String(32), nullable=False),
        sa.Column("customer", sa.String(32), nullable=False),
        sa.Column("agent", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
    )
    op.create_index("ix_visit_promises_record", "visit_promises", ["record"])
    op.create_index("ix_visit_promises_customer", "visit_promises", ["customer"])


def work() -> None:
    """Make the work items."""
    op.create_table(
        "work_items",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("origin", sa.String(160), nullable=False, unique=True),
        sa.Column("visit", sa.String(32)),
        sa.Column("customer", sa.String(32)),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32)),
        sa.Column("channel", sa.String(24), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("opened_at", _INSTANT, nullable=False),
        sa.Column("done_by", sa.String(32)),
        sa.Column("done_at", _INSTANT),
        sa.Column("note", sa.Text, nullable=False),
    )
    for columns in (["visit"], ["customer"], ["done_at", "id"]):
        op.create_index(f"ix_work_items_{'_'.join(columns)}", "work_items", columns)
    undone = sa.text("done_at IS NULL")
    op.create_index(
        "ix_work_items_open",
        "work_items",
        ["due_at", "id"],
        sqlite_where=undone,
        postgresql_where=undone,
    )


def campaigns() -> None:
    """Make the campaigns."""
    op.create_table(
        "visit_campaigns",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("purpose", sa.String(24), nullable=False),
        sa.Column("selection", sa.JSON, nullable=False),
        sa.Column("form", sa.String(64), nullable=False),
        sa.Column("script", sa.String(64), nullable=False),
        sa.Column("from_at", _INSTANT, nullable=False),
        sa.Column("due_at", _INSTANT, nullable=False),
        sa.Column("made_by", sa.String(32), nullable=False),
        sa.Column("made_at", _INSTANT, nullable=False),
        sa.Column("visits", sa.Integer, nullable=False),
        sa.Column("conclusion", sa.Text, nullable=False),
        sa.Column("concluded_by", sa.String(32)),
        sa.Column("concluded_at", _INSTANT),
    )
