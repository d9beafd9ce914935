"""NPC vehicles of a simulator"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("simulators") as batch:
        batch.add_column(sa.Column("npcs", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("simulators") as batch:
        batch.drop_column("npcs")
