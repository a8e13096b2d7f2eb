"""Forms and scripts of the house's rules."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("house_versions", sa.Column("texts", sa.JSON))
