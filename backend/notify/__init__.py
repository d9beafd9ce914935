"""Notifications: what people are told when a verdict flips, a run halts or crashes, or a ladder waits."""
