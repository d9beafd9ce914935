"""What PyTorch computes with, for the whole process."""

import torch

from backend.runs.config import RunConfig


def prepare_torch(config: RunConfig) -> None:
    """Threads and precision as the run is configured."""
    torch.set_num_threads(config.torch_threads)
    torch.backends.cudnn.allow_tf32 = config.tf32
