"""People and their logins; customers and their phones."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables."""
    people()
    logins()
    customers()


def people() -> None:
    """Make people and devices."""
    op.create_table(
        "people",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("number", sa.String(32), nullable=False, unique=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("department", sa.String(64), nullable=False),
        sa.Column("locale", sa.String(8)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("password_set_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "devices",
        sa.Column("pbx", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column(
            "person_id", sa.String(26), sa.ForeignKey("people.id"), nullable=False, index=True
        ),
        sa.Column("position", sa.Integer, nullable=False),
    )


def logins() -> None:
    """Make sessions and one-time links."""
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column(
            "person_id", sa.String(26), sa.ForeignKey("people.id"), nullable=False, index=True
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(200), nullable=False),
    )
    op.create_table(
        "login_links",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column(
            "person_id", sa.String(26), sa.ForeignKey("people.id"), nullable=False, index=True
        ),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )


def customers() -> None:
    """Make customers and their phones."""
    op.create_table(
        "customers",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("external_id", sa.String(64), unique=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("tier", sa.String(32), nullable=False),
        sa.Column("company", sa.String(120), nullable=False),
        sa.Column("area", sa.String(80), nullable=False),
        sa.Column("note", sa.String(2000), nullable=False),
        sa.Column("care_flags", sa.String(1000), nullable=False),
        sa.Column("do_not_call", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "customer_phones",
        sa.Column("customer_id", sa.String(26), sa.ForeignKey("customers.id"), primary_key=True),
        sa.Column("normal", sa.String(33), primary_key=True),
        sa.Column("written", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    op.create_index(
        op.f("ix_customer_phones_normal_customer_id"),
        "customer_phones",
        ["normal", "customer_id"],
    )
