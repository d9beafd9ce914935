"""Statistics of a run, each estimator named."""
