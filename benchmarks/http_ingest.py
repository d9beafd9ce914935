"""Points over HTTP, full stack on both sides: our client and signed-in server against MLflow's, on SQLite.

    pip install mlflow==3.17.2        # or in another environment: --mlflow-python PATH
    python -m benchmarks.http_ingest [--steps 12500] [--rounds 3]

Forty metrics a step through `run.log`, until the server has stored the last; MLflow gets a fiftieth of the
steps by `log_batch`. Rounds alternate. The last line is JSON.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import migrations
from backend.client import Pitwall
from benchmarks.pages import serving
from benchmarks.served import TOKEN, server
from tests.environment.conftest import free_port

METRICS = 40
BAR = 10.0
PATIENCE = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12_500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mlflow-python", default=sys.executable)
    given = parser.parse_args()
    rates: dict[str, list[float]] = {"Pitwall": [], "MLflow": []}
    for _ in range(given.rounds):
        rates["Pitwall"].append(ours(given.steps))
        rates["MLflow"].append(mlflow(given.mlflow_python, given.steps // 50))
    for tool, found in rates.items():
        print(f"{tool:<10} {statistics.median(found):>12,.0f} points/s over HTTP")
    ratio = statistics.median(rates["Pitwall"]) / statistics.median(rates["MLflow"])
    print(
        json.dumps(
            {
                "name": "points over HTTP against MLflow",
                "ratio": round(ratio, 1),
                "unit": "x",
                "bar": BAR,
            }
        )
    )


def ours(steps: int) -> float:
    """Points per second until every one is stored and counted again."""
    with tempfile.TemporaryDirectory() as folder:
        migrations.upgrade(f"sqlite:///{folder}/pitwall.db")
        with server(Path(folder)) as (client, _):
            run = Pitwall(str(client.base_url), TOKEN).run("bench", {"total_steps": steps})
            began = time.perf_counter()
            for step in range(1, steps + 1):
                run.log({f"m{i}": (step * 31 + i) % 97 / 97 for i in range(METRICS)}, step=step)
            assert run.flush(PATIENCE), "the server did not store everything in time"
            seconds = time.perf_counter() - began
            for metric in ("m0", f"m{METRICS - 1}"):
                address = f"/api/v1/runs/{run.id}/points.csv"
                rows = client.get(address, params={"metric": metric}).raise_for_status().text
                assert rows.count("\n") == steps + 1, f"not every point of {metric} is stored"
            run.finish()
    return steps * METRICS / seconds


def mlflow(python: str, steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        command = [python, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
        store = f"sqlite:///{folder}/mlflow.db"
        with serving([*command, "--backend-store-uri", store], port):
            script = Path(__file__).with_name("mlflow_http_peer.py")
            done = subprocess.run(
                [python, str(script), address, str(steps), str(METRICS)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
