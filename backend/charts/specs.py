"""Which charts there are: group, title, metrics, axis and kind of each."""

from dataclasses import dataclass, field
from enum import StrEnum

from backend.metrics.behaviour_metrics import TOP_SPEED, bins, edges
from backend.metrics.catalog import CATALOG, COMPONENTS, describe

OTHER = "Other metrics"
# Of evaluations: ends of intervals, and what is a line over other charts or beside another's curve.
UNDRAWN = frozenset(
    name
    for name in CATALOG
    if name.startswith(("baseline/", "held_out/", "second_town/"))
    or name.endswith(("/success_low", "/success_high"))
)


class Kind(StrEnum):
    """How a chart is drawn."""

    LINES = "lines"
    RETURNS = "returns"
    SHARES = "shares"
    TERMINATIONS = "terminations"


@dataclass(frozen=True)
class ChartSpec:
    """One chart. `marks` are metrics with few points, drawn as markers; `log`: the vertical axis is logarithmic."""

    id: str
    title: str
    group: str
    metrics: tuple[str, ...]
    kind: Kind = Kind.LINES
    marks: tuple[str, ...] = ()
    log: bool = False
    unit: str = ""
    names: tuple[str, ...] = field(default=())

    def name(self, metric: str) -> str:
        """What the legend calls a metric."""
        named = self.metrics or self.marks
        if self.names and metric in named:
            return self.names[named.index(metric)]
        return describe(metric).title

    @property
    def every_metric(self) -> tuple[str, ...]:
        return (*self.metrics, *self.marks)


def _reward() -> list[ChartSpec]:
    titles = tuple(name.replace("_", " ") for name in COMPONENTS)
    return [
        ChartSpec(
            "return",
            "Return",
            "Reward",
            ("episode/return",),
            Kind.RETURNS,
            marks=("evaluation/return_mean",),
            names=("episodes",),
        ),
        ChartSpec(
            "components",
            "Reward components",
            "Reward",
            tuple(f"episode/{name}" for name in COMPONENTS),
            names=titles,
        ),
        ChartSpec(
            "component-shares",
            "Share of each component",
            "Reward",
            tuple(f"episode/{name}_percent" for name in COMPONENTS),
            Kind.SHARES,
            unit="%",
            names=titles,
        ),
        ChartSpec(
            "step-reward",
            "Reward per decision",
            "Reward",
            ("progress/reward", *(f"reward/{name}" for name in COMPONENTS)),
            names=("total", *titles),
        ),
    ]


def _learner() -> list[ChartSpec]:
    def of(id: str, title: str, *metrics: str, names: tuple[str, ...] = ()) -> ChartSpec:
        return ChartSpec(id, title, "Learner", tuple(f"learner/{m}" for m in metrics), names=names)

    return [
        of(
            "q-values",
            "Q values",
            "q1_mean",
            "q2_mean",
            "target_q_mean",
            "actor_q_mean",
            names=("Q1", "Q2", "target", "actor-Q"),
        ),
        of("td-error", "TD error", "td_error_q1", "td_error_q2", names=("Q1", "Q2")),
        of("critic-loss", "Critic loss", "critic_loss"),
        of("actor-loss", "Actor loss", "actor_loss"),
        of("q-spread", "Spread of Q", "q1_std", "target_q_std", names=("Q1", "target")),
        of("exploration-noise", "Exploration noise", "exploration_noise"),
        of("updates-per-step", "Updates per step", "updates_per_step"),
        of(
            "dead-units",
            "Dead units",
            "actor_dead_units",
            "critic_dead_units",
            names=("actor", "critic"),
        ),
        of(
            "parameters",
            "Spread of parameters",
            "actor_parameter_std",
            "critic_parameter_std",
            names=("actor", "critic"),
        ),
    ]


def _gradients() -> list[ChartSpec]:
    def clip(net: str) -> ChartSpec:
        sides = ("before_clip", "after_clip")
        return ChartSpec(
            f"{net}-gradient",
            f"{net.capitalize()} gradient",
            "Gradients",
            tuple(f"gradients/{net}_norm_{side}" for side in sides),
            log=True,
            names=("before clip", "after clip"),
        )

    modules = [(net, part) for net in ("actor", "critic") for part in ("encoder", "head")]
    return [
        clip("actor"),
        clip("critic"),
        ChartSpec(
            "module-gradients",
            "Gradient by module, before clip",
            "Gradients",
            tuple(f"gradients/{net}_{part}_norm_before_clip" for net, part in modules),
            log=True,
            names=tuple(f"{net} {part}" for net, part in modules),
        ),
        ChartSpec(
            "module-gradients-clipped",
            "Gradient by module, after clip",
            "Gradients",
            tuple(f"gradients/{net}_{part}_norm_after_clip" for net, part in modules),
            log=True,
            names=tuple(f"{net} {part}" for net, part in modules),
        ),
        ChartSpec(
            "module-gradients-logged",
            "Gradient by module, side of the clip not logged",
            "Gradients",
            tuple(f"gradients/{net}_{part}_norm" for net, part in modules),
            log=True,
            names=tuple(f"{net} {part}" for net, part in modules),
        ),
        ChartSpec(
            "policy-head-share",
            "Policy head's share of the actor's gradient",
            "Gradients",
            ("gradients/policy_head_share",),
        ),
        ChartSpec(
            "feature-norms",
            "Feature norms",
            "Gradients",
            ("features/actor_norm", "features/critic_norm"),
            log=True,
            names=("actor", "critic"),
        ),
    ]


def _actions() -> list[ChartSpec]:
    def of(name: str) -> list[ChartSpec]:
        return [
            ChartSpec(
                name,
                name.capitalize(),
                "Actions",
                (f"actions/{name}_mean", f"actions/{name}_min", f"actions/{name}_max"),
                names=("mean", "min", "max"),
            ),
            ChartSpec(
                f"policy-{name}",
                f"Policy's {name} over the replay batch",
                "Actions",
                (f"actions/policy_{name}_mean", f"actions/policy_{name}_std"),
                names=("mean", "std"),
            ),
        ]

    return [
        *of("steering"),
        *of("throttle"),
        _histogram("steering-histogram", "Steering, histogram", "actions/steering", -1, 1),
        _histogram("throttle-histogram", "Throttle, histogram", "actions/throttle", -1, 1),
        _histogram("replay-steering", "Steering in the replay buffer", "replay/steering", -1, 1),
        _histogram("replay-speed", "Speed in the replay buffer, m/s", "replay/speed", 0, TOP_SPEED),
        ChartSpec(
            "coverage", "Coverage of steering and speed", "Actions", ("replay/coverage",), unit="%"
        ),
    ]


def _histogram(id: str, title: str, prefix: str, low: float, high: float) -> ChartSpec:
    names = tuple(edges(low, high))
    return ChartSpec(id, title, "Actions", bins(prefix), Kind.SHARES, unit="%", names=names)


def _driving() -> list[ChartSpec]:
    def of(id: str, title: str, *metrics: str, unit: str = "") -> ChartSpec:
        return ChartSpec(id, title, "Driving", metrics, unit=unit)

    return [
        of("speed", "Speed", "progress/speed", "progress/speed_kmh"),
        of("lateral-error", "Lateral error", "episode/lateral_error", unit="m"),
        of("route", "Route completed", "episode/route_percent", unit="%"),
        ChartSpec(
            "terminations",
            "How episodes end",
            "Driving",
            ("episode/termination",),
            Kind.TERMINATIONS,
            unit="episodes",
        ),
        of("episode-length", "Episode length", "episode/length", unit="decisions"),
        of("collisions", "Collisions", "episode/collisions", "episode/lane_invasions"),
        of("heading-error", "Heading error", "episode/heading_error", unit="rad"),
        of("jerk", "Jerk", "episode/jerk", unit="m/s^3"),
        of("standing", "Standing", "episode/zero_speed_share"),
    ]


def _evaluation() -> list[ChartSpec]:
    places = {
        "evaluation": "training routes",
        "held_out": "held-out routes",
        "second_town": "second town",
    }

    def of(id: str, title: str, metric: str, unit: str = "") -> ChartSpec:
        marks = tuple(f"{group}/{metric}" for group in places)
        return ChartSpec(
            id, title, "Evaluation", (), marks=marks, unit=unit, names=tuple(places.values())
        )

    return [
        ChartSpec(
            "evaluation-return",
            "Evaluation return",
            "Evaluation",
            (),
            Kind.RETURNS,
            marks=(
                "evaluation/return_mean",
                "evaluation/episode_return",
                "held_out/return_mean",
                "second_town/return_mean",
            ),
        ),
        of("success-rate", "Success rate", "success_rate"),
        of("evaluation-route", "Route completed", "route_percent", "%"),
        of("evaluation-length", "Length", "length", "decisions"),
        of("evaluation-collisions", "Collisions", "collisions"),
        of("evaluation-collisions-per-km", "Collisions per km", "collisions_per_km", "1/km"),
        of("evaluation-ttc", "Minimum time to collision", "min_ttc", "s"),
        of("evaluation-time", "Completion time, simulated", "completion_seconds", "s"),
        of("evaluation-speed", "Speed", "mean_speed", "m/s"),
        of("evaluation-lateral", "Lateral error", "lateral_error", "m"),
        of("evaluation-heading", "Heading error", "heading_error", "rad"),
        of("evaluation-jerk", "Jerk", "jerk", "m/s^3"),
    ]


def _system() -> list[ChartSpec]:
    def of(id: str, title: str, *metrics: str, unit: str = "") -> ChartSpec:
        return ChartSpec(id, title, "Speed and system", metrics, unit=unit)

    return [
        of("steps-per-second", "Steps per second", "progress/steps_per_second", unit="1/s"),
        of("tick", "Simulator tick", "system/tick_ms", unit="ms"),
        of("update", "Update", "system/update_ms", unit="ms"),
        of("reset", "Reset", "system/reset_ms", unit="ms"),
        of("memory", "Memory", "system/ram_bytes", "system/buffer_bytes", unit="B"),
        of("replay", "Replay size", "progress/buffer_size", unit="transitions"),
        of("cpu", "CPU", "system/cpu_percent", unit="%"),
        of("gpu", "GPU memory", "system/gpu_bytes", "system/gpu_free_bytes", unit="B"),
        of("disk", "Disk free", "system/disk_free_bytes", unit="B"),
    ]


CHARTS: dict[str, ChartSpec] = {
    spec.id: spec
    for spec in [
        *_reward(),
        *_learner(),
        *_gradients(),
        *_actions(),
        *_driving(),
        *_evaluation(),
        *_system(),
    ]
}


def chart_for_metric(metric: str) -> ChartSpec:
    """A plain chart of one metric; its id is made of the name and fits into a URL's path."""
    known = CATALOG.get(metric)
    title = known.title if known else metric
    slug = "".join(char if char.isalnum() else "-" for char in metric)
    return ChartSpec(
        f"metric-{slug}", title, OTHER, (metric,), unit=known.unit if known else "", names=(title,)
    )


def charts_for(metrics: list[str]) -> list[ChartSpec]:
    """The charts that have something to draw, given the metrics a run has; then one per metric left over."""
    present = set(metrics)
    drawn = [spec for spec in CHARTS.values() if present.intersection(spec.every_metric)]
    shown = {metric for spec in drawn for metric in spec.every_metric}
    left = [metric for metric in metrics if metric not in shown and metric not in UNDRAWN]
    return [*drawn, *(chart_for_metric(metric) for metric in left)]
