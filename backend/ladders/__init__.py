"""Ladders: plans of stages, each of which starts when the gate before it passes."""
