"""A run for MLflow's half of `benchmarks/pages.py`; runs under any Python that has MLflow, prints the run's id."""

import sys
import time
from pathlib import Path

from mlflow.entities import Metric
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

BATCH = 1000  # MLflow refuses more metrics in one call


def main() -> None:
    """Write `steps` x `metrics` points into `folder`/mlflow.db."""
    folder, steps, metrics = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    store = SqlAlchemyStore(f"sqlite:///{folder / 'mlflow.db'}", str(folder))
    run_id = store.create_run("0", "bench", int(time.time() * 1000), [], "bench").info.run_id
    now = int(time.time() * 1000)
    points = [
        Metric(f"m{i}", float((step * 31 + i) % 97), now + step, step)
        for step in range(steps)
        for i in range(metrics)
    ]
    for first in range(0, len(points), BATCH):
        store.log_batch(run_id, points[first : first + BATCH], [], [])
    print(run_id)


if __name__ == "__main__":
    main()
