"""Scripted drivers to compare a policy with."""
