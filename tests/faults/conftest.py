"""Fault tests start the whole product."""

from tests.product import start

__all__ = ["start"]
