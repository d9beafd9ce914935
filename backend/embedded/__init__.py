"""`pitwall up`: broker, worker and dashboard as children of one process, for one person's machine."""
