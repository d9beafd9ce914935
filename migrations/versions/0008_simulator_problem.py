"""Why a simulator cannot be leased, and when it was last asked"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("simulators") as batch:
        batch.add_column(sa.Column("asked_at", sa.Float(), nullable=True))
        batch.add_column(
            sa.Column("problem", sa.String(length=300), nullable=False, server_default="")
        )


def downgrade() -> None:
    with op.batch_alter_table("simulators") as batch:
        batch.drop_column("problem")
        batch.drop_column("asked_at")
