"""The HTTP surface: JSON API, pages and event streams."""
