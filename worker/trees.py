"""Nested state split into what JSON holds and what safetensors holds, and joined again. No pickle."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

SEPARATOR = "/"


def split(
    tree: Mapping[str, Any], prefix: str = ""
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Values by path: those for JSON, and tensors and arrays as contiguous CPU tensors.

    Mappings nest; keys must be strings without `/`. Lists and scalars are left to JSON.
    """
    plain: dict[str, Any] = {}
    tensors: dict[str, torch.Tensor] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            below, deep = split(value, path + SEPARATOR)
            plain[key] = below
            tensors |= deep
        elif isinstance(value, torch.Tensor):
            tensors[path] = value.detach().cpu().contiguous()
        elif isinstance(value, np.ndarray):
            tensors[path] = torch.from_numpy(np.ascontiguousarray(value))
        else:
            plain[key] = value
    return plain, tensors


def join(plain: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """The tree `split` took apart, arrays as tensors."""
    tree = _copy(plain)
    for path, tensor in tensors.items():
        *branches, leaf = path.split(SEPARATOR)
        branch = tree
        for name in branches:
            branch = branch[name]
        branch[leaf] = tensor
    return tree


def _copy(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, dict) else value for key, value in plain.items()}
