"""The rules of a run in the order a page shows them: what needs eyes first."""

from collections.abc import Iterable

from backend.gates.models import RuleStatus

# A rule that is content keeps its place when its first data come: eyes find it where it was.
SEVERITY = {"critical": 0, "warning": 1, "ok": 2, "no-data": 2}


def worst_first(rules: Iterable[RuleStatus]) -> list[RuleStatus]:
    """Critical, warning, all others; within each as the preset orders them."""
    return sorted(rules, key=lambda rule: (SEVERITY[rule.state], rule.position))
