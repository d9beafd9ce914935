"""The rules of a run in the order a page shows them: what needs eyes first."""

from collections.abc import Iterable

from backend.gates.models import RuleStatus

SEVERITY = {"critical": 0, "warning": 1, "ok": 2, "no-data": 3}


def worst_first(rules: Iterable[RuleStatus]) -> list[RuleStatus]:
    """Critical, warning, ok, no data; within each as the preset orders them."""
    return sorted(rules, key=lambda rule: (SEVERITY[rule.state], rule.position))
