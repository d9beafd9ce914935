"""Reports: every number bound to the run, metric, window and estimator it came from."""
