"""Checkpoints: files on disk, rows that name them, and which of them are kept."""
