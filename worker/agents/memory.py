"""The C library's allocator, told to keep what an update frees for the next one."""

import ctypes

# of glibc's malloc.h; 32 MiB is the largest threshold it takes
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_THRESHOLD = 32 * 2**20
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Stop handing activations back to the system after every update; False where there is no glibc.

    By default each update's large tensors are fresh pages, and faulting them in costs a sixth of an update.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)) and bool(
        mallopt(M_TRIM_THRESHOLD, NEVER)
    )
