"""Smoothing: an exponential moving average with a time constant in the units of the axis. Pure."""

import numpy as np

from backend.metrics.columns import Floats

SHARE = 0.01


def time_constant(smoothing: float, span: float) -> float:
    """The time constant a slider position in [0, 1) stands for on an axis of length `span`.

    s / (1 - s) hundredths of the axis: 0 is none, 0.6 is 1.5 %, 0.98 is half of it.
    """
    return smoothing / (1 - smoothing) * SHARE * span


def ema(x: Floats, y: Floats, tau: float) -> Floats:
    """y smoothed over irregular x: each new point weighs 1 - exp(-(x_i - x_(i-1)) / tau).

    It starts at the first value. Points that are not finite leave it as it is; points at one place
    weigh as if they stood a thousandth of `tau` apart.
    """
    if tau <= 0 or len(y) < 2:
        return y
    gap = np.maximum(np.diff(x, prepend=x[0]), tau / 1000)
    weights = 1 - np.exp(-gap / tau)
    smooth = np.full(len(y), np.nan)
    level = np.nan
    for i, (value, weight) in enumerate(zip(y.tolist(), weights.tolist(), strict=True)):
        if np.isfinite(value):
            level = value if np.isnan(level) else level + weight * (value - level)
        smooth[i] = level
    return smooth
