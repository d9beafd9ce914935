"""Replay memory."""
