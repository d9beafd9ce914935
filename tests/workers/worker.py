"""`python -m tests.workers.worker MODE`: the real worker, whose trainers have one habit."""

import sys

from backend.settings import Settings
from tests.workers.conftest import trainer
from worker.app import serve

if __name__ == "__main__":
    serve(Settings(), trainer(sys.argv[1]))
