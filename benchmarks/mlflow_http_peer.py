"""MLflow's half of `benchmarks/http_ingest.py`; runs under any Python that has MLflow, prints points per second."""

import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric

BATCH = 1000  # MLflow refuses more metrics in one call


def main() -> None:
    """Write `steps` x `metrics` points to the server at `uri`, a full batch in each call."""
    uri, steps, metrics = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    points = [
        Metric(f"m{i}", (step * 31 + i) % 97 / 97, int(1.7e12) + step * 50, step)
        for step in range(steps)
        for i in range(metrics)
    ]
    began = time.perf_counter()
    for first in range(0, len(points), BATCH):
        client.log_batch(run_id, metrics=points[first : first + BATCH])
    print(len(points) / (time.perf_counter() - began))


if __name__ == "__main__":
    main()
