"""Metrics: every point kept in compressed chunks, any range read back in milliseconds."""
