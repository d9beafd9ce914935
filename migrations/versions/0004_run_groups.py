"""Groups of runs started together"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("preset", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_groups")),
    )
    op.add_column("runs", sa.Column("group_id", sa.Integer(), nullable=True))
    op.add_column(
        "runs", sa.Column("variant", sa.String(length=40), nullable=False, server_default="")
    )
    op.create_index(op.f("ix_runs_group_id"), "runs", ["group_id"], unique=False)
    # No release wrote anything but an empty text into it.
    op.drop_index(op.f("ix_runs_group"), "runs")
    op.drop_column("runs", "group")


def downgrade() -> None:
    op.add_column(
        "runs", sa.Column("group", sa.String(length=120), nullable=False, server_default="")
    )
    op.create_index(op.f("ix_runs_group"), "runs", ["group"], unique=False)
    op.drop_index(op.f("ix_runs_group_id"), "runs")
    op.drop_column("runs", "variant")
    op.drop_column("runs", "group_id")
    op.drop_table("run_groups")
