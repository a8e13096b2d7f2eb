"""What the rules of return visits read of a customer, what happened to him, and who may tell it.

Besides: forms and scripts of the house's rules, and which days were planned.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TEXTS = {"title": 32, "email": 254, "owner": 32, "member_no": 64, "consent": 200}
_TEXTS |= {"hours": 200, "zone": 64}
_MARKS = ("birth_lunar", "member", "do_not_sms", "merchant")


def upgrade() -> None:
    """Add the columns, fill in what stays, make the tables."""
    op.add_column("house_versions", sa.Column("texts", sa.JSON))
    customers()
    events()
    machines()
    plans()


def customers() -> None:
    """Add the columns of customers; each gets his place in every cycle."""
    for name, limit in _TEXTS.items():
        column = sa.Column(name, sa.String(limit), nullable=False, server_default="")
        op.add_column("customers", column)
    for name in _MARKS:
        mark = sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column("customers", mark)
    for name in ("birth_year", "birth_month", "birth_day"):
        op.add_column("customers", sa.Column(name, sa.SmallInteger))
    op.add_column("customers", sa.Column("member_since", sa.Date))
    spread: sa.Column[int] = sa.Column(
        "spread", sa.SmallInteger, nullable=False, server_default="0"
    )
    op.add_column("customers", spread)
    sqlite = op.get_bind().dialect.name == "sqlite"
    chance = "abs(random()) % 10000" if sqlite else "floor(random() * 10000)"
    op.execute(f"UPDATE customers SET spread = {chance}")  # noqa: S608  our own words
    op.create_index("ix_customers_changed_at", "customers", ["changed_at"])
    op.create_index("ix_customers_spread", "customers", ["spread", "id"])
    born = ["birth_lunar", "birth_month", "birth_day", "id"]
    _partial("birthday", born, "birth_month IS NOT NULL")
    _partial("members", ["spread", "id"], "member")
    _partial("area", ["spread", "id"], "area <> ''")


def _partial(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        f"ix_customers_{name}",
        "customers",
        columns,
        sqlite_where=sa.text(where),
        postgresql_where=sa.text(where),
    )


def events() -> None:
    """Make what happened to customers, and whose areas are."""
    op.create_table(
        "customer_events",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("customer", sa.String(26), sa.ForeignKey("customers.id"), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("ref", sa.String(64), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("time", sa.Time),
        sa.Column("amount_cents", sa.BigInteger),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("moved", sa.Integer, nullable=False),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("customer", "kind", "ref"),
    )
    op.create_index("ix_customer_events_kind_day", "customer_events", ["kind", "day", "id"])
    op.create_index(
        "ix_customer_events_stale",
        "customer_events",
        ["id"],
        sqlite_where=sa.text("stale"),
        postgresql_where=sa.text("stale"),
    )
    op.create_table(
        "customer_areas",
        sa.Column("area", sa.String(80), primary_key=True),
        sa.Column("supervisor", sa.String(32), nullable=False),
    )


def machines() -> None:
    """Make the programs that may tell us things."""
    op.create_table(
        "machines",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("hash"),
    )


def plans() -> None:
    """Make the days that were planned; find visits that were made by their day."""
    op.create_index(
        "ix_visits_planned",
        "visits",
        ["id"],
        sqlite_where=sa.text("state = 'open' AND event IS NULL"),
        postgresql_where=sa.text("state = 'open' AND event IS NULL"),
    )
    op.create_index(
        "ix_visits_made",
        "visits",
        ["ended_at"],
        sqlite_where=sa.text("state = 'done'"),
        postgresql_where=sa.text("state = 'done'"),
    )
    op.create_table(
        "visit_plan_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("policy", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
