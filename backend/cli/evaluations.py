"""What `pitwall evaluate` found, in lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any


def evaluation_lines(found: Mapping[str, Any]) -> list[str]:
    """One line for each figure that these episodes have, with its unit; `found` is the JSON document."""
    rows = list(_rows(found))
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows]


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from backend.metrics.catalog import CATALOG

    yield "policy", found["policy"]
    yield "episodes", str(found["episodes"])
    if (share := found["success_rate"]) is not None:
        low, high = (100 * bound for bound in found["success_interval"])
        interval = f"95 % interval {low:.0f} to {high:.0f} %, Wilson"
        yield "success", f"{100 * share:.0f} % ({interval})"
    deviation = found["return_std"]
    yield "return", f"{found['return_mean']:,.4g}, standard deviation {deviation:,.3g}"
    for name in ("completion_seconds", "collisions_per_km"):
        if (value := found[name]) is not None:
            metric = CATALOG[f"evaluation/{name}"]
            yield _title(metric.title), _measured(value, metric.unit)
    for name, value in found["means"].items():
        if value is not None:
            metric = CATALOG[f"evaluation/{name}"]
            yield _title(metric.title), _measured(value, metric.unit)


def _title(title: str) -> str:
    return title.removeprefix("Evaluation ").lower()


def _measured(value: float, unit: str) -> str:
    # "Collisions per km" says its unit itself.
    return f"{value:,.4g} {'' if unit.startswith('1/') else unit}".rstrip()
