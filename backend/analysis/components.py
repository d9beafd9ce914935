"""What the reward was made of: shares of its components, their sum against the return, endings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from backend.analysis.quarters import finite


@dataclass(frozen=True)
class Component:
    """One component over episodes: mean and population std, and its share in the absolute reward."""

    name: str
    mean: float
    std: float
    share: float


def component_shares(components: Mapping[str, ArrayLike]) -> tuple[Component, ...]:
    """Components by their share: the sum over episodes of |component| over that of all, in [0, 1].

    Values that are not finite are left out.
    """
    arrays = {name: finite(values) for name, values in components.items()}
    sizes = {name: float(np.abs(values).sum()) for name, values in arrays.items() if len(values)}
    total = sum(sizes.values())
    found = [
        Component(
            name,
            float(arrays[name].mean()),
            float(arrays[name].std()),
            size / total if total else 0.0,
        )
        for name, size in sizes.items()
    ]
    return tuple(sorted(found, key=lambda component: -component.share))


@dataclass(frozen=True)
class Checksum:
    """How far sums of components are from the returns: episodes off by more than `tolerance`."""

    episodes: int
    wrong: int
    largest_error: float
    tolerance: float


def checksum(
    components: Mapping[str, ArrayLike], returns: ArrayLike, relative_tolerance: float = 1e-6
) -> Checksum | None:
    """Components against returns of the same episodes; None without components or episodes."""
    total = np.asarray(returns, np.float64)
    parts = [np.asarray(values, np.float64) for values in components.values()]
    if not parts or not len(total):
        return None
    with np.errstate(invalid="ignore"):
        errors = np.abs(np.sum(parts, axis=0) - total)
    tolerances = relative_tolerance * np.maximum(1.0, np.abs(total))
    return Checksum(
        len(total),
        int((~(errors <= tolerances)).sum()),  # what is no number agrees with nothing
        float(finite(errors).max(initial=0.0)),
        relative_tolerance,
    )


def terminations(codes: ArrayLike, names: Sequence[str]) -> dict[str, int]:
    """How many episodes ended for which reason; a code outside `names` counts as the last one."""
    known = [names[int(c)] if 0 <= c < len(names) else names[-1] for c in np.ravel(codes)]
    counts = Counter(known)
    return {name: counts[name] for name in names if counts[name]}
