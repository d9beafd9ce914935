"""Rules that people give a run under way, and the rules that gave a verdict"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs", sa.Column("judged_by", sa.String(length=64), nullable=False, server_default="")
    )
    op.create_table(
        "rule_choices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("preset", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=120), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_rule_choices_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_choices")),
    )
    op.create_index("ix_rule_choices_run_id_id", "rule_choices", ["run_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_rule_choices_run_id_id", "rule_choices")
    op.drop_table("rule_choices")
    op.drop_column("runs", "judged_by")
