"""MLflow's half of `benchmarks/metrics.py`; runs under any Python that has MLflow and prints JSON."""

import json
import sys
import tempfile
import time
from pathlib import Path

from mlflow.entities import Metric
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

BATCH = 1000  # MLflow refuses more metrics in one call


def main() -> None:
    """Write `steps` x `metrics` points in batches into SQLite, then read a chart of four metrics back."""
    steps, metrics, spike_every = (int(argument) for argument in sys.argv[1:4])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mlflow.db"
        store = SqlAlchemyStore(f"sqlite:///{file}", folder)
        run_id = store.create_run("0", "bench", 0, [], "bench").info.run_id
        empty = _size(file)
        blocked = []
        batch: list[Metric] = []
        began = time.perf_counter()
        for step in range(steps):
            for i in range(metrics):
                value = 1e6 if step % spike_every == spike_every // 2 else (step * 31 + i) % 97 / 97
                batch.append(Metric(f"m{i}", value, int(1.7e12) + step * 50, step))
            if len(batch) + metrics > BATCH:
                before = time.perf_counter()
                store.log_batch(run_id, batch, [], [])
                blocked.append(time.perf_counter() - before)
                batch = []
        if batch:
            store.log_batch(run_id, batch, [], [])
        written = time.perf_counter() - began
        charts, spikes = [], 0
        for _ in range(3):
            before = time.perf_counter()
            found = [
                store.get_metric_history_bulk_interval([run_id], f"m{i}", 320, None, None)
                for i in range(4)
            ]
            charts.append(time.perf_counter() - before)
            spikes = sum(metric.value == 1e6 for metric in found[0])
        print(
            json.dumps(
                {
                    "points_per_second": steps * metrics / written,
                    "blocked": sorted(blocked),
                    "bytes_per_point": (_size(file) - empty) / (steps * metrics),
                    "chart_seconds": min(charts),
                    "spikes": spikes,
                }
            )
        )


def _size(file: Path) -> int:
    return sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))


if __name__ == "__main__":
    main()
