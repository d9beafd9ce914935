"""Freed memory stays with the process."""

import resource
import sys

import pytest
import torch

from worker.agents.memory import keep_freed_memory


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_large_tensors_of_one_update_are_the_memory_of_the_next() -> None:
    if not keep_freed_memory():
        pytest.skip("no glibc")

    def work() -> None:
        hidden = [torch.ones(2**21) for _ in range(4)]  # 8 MiB each, all alive at once
        assert len(hidden) == 4

    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        work()
    # By default 40,000; a heap other tests have left in pieces may want one more of these tensors, 2,048 pages.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 10_000
