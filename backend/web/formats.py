"""How numbers, times and sizes are written on a page; pure."""

import math
from datetime import UTC, datetime

from markupsafe import Markup, escape

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def prose(text: str) -> Markup:
    """Help text as HTML: what stands in `backticks` becomes code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


def whole(value: float | None) -> str:
    """1234567 -> `1,234,567`."""
    return DASH if value is None else f"{value:,.0f}"


def compact(value: float | None) -> str:
    """402132 -> `402k`; short enough for an axis or a cell."""
    if value is None:
        return DASH
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def figure(value: float | None) -> str:
    """A measured value to four significant digits, with a true minus sign."""
    if value is None:
        return DASH
    if not math.isfinite(value):
        return str(value)
    text = _magnitude(abs(value))
    return f"{MINUS}{text}" if value < 0 else text


def _magnitude(value: float) -> str:
    for size, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if size <= value < 1000 * size:
            return f"{value / size:.4g}{suffix}"
    if 1e4 <= value < 1e6:
        return f"{value:,.0f}"
    return f"{value:,.4g}" if 1e-3 <= value < 1e4 or value == 0 else f"{value:.3e}"


def percent(share: float | None) -> str:
    return DASH if share is None else f"{100 * share:.0f} %"


def size(count: float | None) -> str:
    """Bytes in decimal units: 1_500_000 -> `1.5 MB`."""
    if count is None:
        return DASH
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def duration(seconds: float | None) -> str:
    """90 -> `1 min 30 s`, 14520 -> `4 h 02 min`."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    total = max(0, round(seconds))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    if total < 86400 * 2:
        return f"{total // 3600} h {total % 3600 // 60:02d} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"


def ago(then: float | None, now: float) -> str:
    return DASH if then is None else f"{_coarse(now - then)} ago"


def _coarse(seconds: float) -> str:
    for span, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= span:
            return f"{int(seconds // span)} {unit}"
    return f"{max(0, int(seconds))} s"


def stamp(then: float | None) -> str:
    """ISO 8601 in UTC, for `<time datetime>` and exports."""
    return "" if then is None else datetime.fromtimestamp(then, UTC).isoformat(timespec="seconds")


def clock(then: float | None) -> str:
    return DASH if then is None else datetime.fromtimestamp(then, UTC).strftime("%d %b %H:%M:%S")
