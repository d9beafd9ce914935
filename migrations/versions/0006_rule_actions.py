"""Actions of a preset's rules, acknowledgements, and learning rates lowered by rules"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rule_presets", sa.Column("actions", sa.JSON(), nullable=False, server_default="{}")
    )
    op.add_column(
        "acceptances",
        sa.Column("kind", sa.String(length=16), nullable=False, server_default="accepted"),
    )
    op.add_column(
        "runs", sa.Column("learning_rate_factor", sa.Float(), nullable=False, server_default="1")
    )


def downgrade() -> None:
    op.drop_column("runs", "learning_rate_factor")
    op.drop_column("acceptances", "kind")
    op.drop_column("rule_presets", "actions")
