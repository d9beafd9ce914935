"""`pitwall doctor`: does a CARLA server, real or embedded, do what Pitwall needs? A table of answers."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from backend.errors import PitwallError
from worker.addresses import one_address
from worker.probe import NoAnswer, ask

TIME_LIMIT, ANSWER_LIMIT = 900.0, 10.0


@dataclass(frozen=True)
class CheckResult:
    """One question put to the server: what was seen, or what was wrong."""

    name: str
    passed: bool
    detail: str
    seconds: float


def run_conformance(host: str, port: int, limit: float = TIME_LIMIT) -> list[CheckResult]:
    """Put every question to the server; never raises for what the server does.

    The `carla` client runs in a process of its own, because a server that misbehaves can end it: the
    question it was at is then answered by how it ended.
    """
    began = time.monotonic()
    try:
        # The client library says "time-out" of whatever is not CARLA.
        ask(host, port, ANSWER_LIMIT)
    except NoAnswer as error:
        return [CheckResult("connect", False, str(error), round(time.monotonic() - began, 2))]
    command = [sys.executable, "-m", "worker.conformance_checks", host, str(port)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=limit
        )
        output, end = done.stdout, f"the client process ended here with code {done.returncode}"
    except subprocess.TimeoutExpired as stopped:
        output, end = stopped.stdout or b"", f"stopped here, {limit:.0f} s are over"
    return list(_results(output, end))


def _results(output: bytes, end: str) -> Iterator[CheckResult]:
    """The answers among the client's lines; a question without one is answered by `end`."""
    asked = ""
    for line in output.splitlines():
        # The client library prints warnings of its own to the same place.
        if line.startswith(b'{"asking"'):
            asked = json.loads(line)["asking"]
        elif line.startswith(b'{"name"'):
            yield CheckResult(**json.loads(line))
            asked = ""
    if asked:
        yield CheckResult(asked, False, end, 0.0)


def table(results: Sequence[CheckResult]) -> str:
    """The answers for a reader."""
    width = max((len(result.name) for result in results), default=0)
    return "\n".join(
        f"{'pass' if result.passed else 'FAIL'}  {result.name:<{width}}  {result.seconds:6.1f} s"
        f"  {result.detail}"
        for result in results
    )


def main() -> None:
    """Exit code 0 when the server passes everything; 1 when it does not, or there is none."""
    parser = argparse.ArgumentParser(prog="pitwall doctor")
    parser.add_argument("address", help="HOST:PORT of a CARLA server")
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    options = parser.parse_args()
    try:
        host, port = one_address(options.address)
    except PitwallError as error:
        sys.exit(f"pitwall doctor: {error}")
    results = run_conformance(host, port)
    text = json.dumps([asdict(each) for each in results]) if options.json else table(results)
    sys.stdout.write(text + "\n")
    sys.exit(0 if results and all(result.passed for result in results) else 1)


if __name__ == "__main__":
    main()
