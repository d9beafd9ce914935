"""What stands behind both the browser and the worker: runs, metrics, rules, checkpoints, charts and the web."""
