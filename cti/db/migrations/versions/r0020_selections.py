"""Saved selections of customers, and what finds them by tier, area and owner."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and the indexes."""
    op.create_table(
        "visit_selections",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("criteria", sa.JSON, nullable=False),
        sa.Column("made_by", sa.String(32), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_by", sa.String(32)),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("name"),
    )
    for index, column in (("tier", "tier"), ("of_area", "area"), ("owner", "owner")):
        where = sa.text(f"{column} <> ''")
        op.create_index(
            f"ix_customers_{index}",
            "customers",
            [column, "id"],
            sqlite_where=where,
            postgresql_where=where,
        )
