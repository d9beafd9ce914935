"""Runs: what was asked for, where each stands, and every legal way to change that."""
