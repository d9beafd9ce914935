"""Which charts show what a rule looked at."""

from collections.abc import Collection

from backend.charts.specs import CHARTS, ChartSpec, chart_for_metric
from backend.rules.custom import CustomRule
from backend.rules.rule import Rule

EVIDENCE = {
    "transition": ("return",),
    "policy_head_share": (
        "module-gradients",
        "module-gradients-clipped",
        "module-gradients-logged",
    ),
    "vanished_gradient": ("actor-gradient",),
    "over_estimation": ("q-values", "q-spread"),
    "constant_action": ("policy-steering", "policy-throttle", "steering", "throttle"),
    "corroborated": ("return", "q-values"),
    "collapse": ("return",),
    "identical_evaluation": ("evaluation-return",),
    "post_evaluation": ("episode-length", "evaluation-return"),
    "one_termination": ("terminations", "route"),
    "impossible_q": ("q-values",),
    "component_checksum": ("components", "return"),
    "component_dominance": ("component-shares",),
    "zero_speed": ("standing", "speed"),
    "configured_observed": ("updates-per-step",),
    "non_finite": ("critic-loss", "actor-loss"),
    "feature_norm": ("feature-norms",),
    "td_error": ("td-error",),
    "q_value": ("q-values",),
    "episode_return": ("return",),
    "stagnation": ("evaluation-return", "return"),
    "gradient_growth": ("critic-gradient", "actor-gradient"),
}


def evidence_charts(name: str, rule: Rule | None, logged: Collection[str]) -> list[ChartSpec]:
    """The charts of what a rule reads, most telling first; none for rules that read no metric.

    Where some of them have points, those alone: `logged` are the metrics that do.
    """
    if isinstance(rule, CustomRule):
        metrics = dict.fromkeys([rule.spec.metric, rule.spec.other])
        return [_chart_of(metric) for metric in metrics if metric]
    charts = [CHARTS[chart] for chart in EVIDENCE.get(name, ()) if chart in CHARTS]
    return [chart for chart in charts if not set(logged).isdisjoint(chart.every_metric)] or charts


def _chart_of(metric: str) -> ChartSpec:
    named = (spec for spec in CHARTS.values() if metric in spec.every_metric)
    return next(named, chart_for_metric(metric))
