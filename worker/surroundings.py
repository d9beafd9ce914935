"""What an attempt really runs on: code, packages, hardware; shown beside what was configured."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

GIT_PATIENCE = 5.0


def surroundings(device: torch.device) -> dict[str, str | int]:
    """By name, ready to be shown."""
    found: dict[str, str | int] = {
        "device": str(device),
        "torch_threads": torch.get_num_threads(),
        "code_version": code_version(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "carla_client": version("carla"),
        "host": platform.node(),
        "cpu_cores": os.cpu_count() or 0,
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
    }
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def code_version() -> str:
    """Pitwall's version; of a checkout also its commit, with `+` if files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12"]
    folder = Path(__file__).parent
    try:
        answer = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=GIT_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return version("pitwall")
    return f"{version('pitwall')} ({answer.stdout.strip()})"
