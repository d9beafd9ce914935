"""`python -m backend.cli`, the same as `pitwall`."""

from backend.cli import main

main()
