"""Every metric Pitwall knows: name, unit, group, meaning, better direction, and TensorBoard aliases."""

from backend.metrics.behaviour_metrics import behaviour, parameters
from backend.metrics.learner_metrics import gradients, learner, statistics
from backend.metrics.metric import DOWN, UP, Better, Metric

COMPONENTS = ("efficiency", "lane_keeping", "comfort", "safety", "progress")


def _episode() -> list[Metric]:
    def of(
        name: str,
        title: str,
        unit: str,
        meaning: str,
        better: Better = Better.NEITHER,
        *aliases: str,
    ) -> Metric:
        return Metric(f"episode/{name}", title, unit, meaning, better, aliases, per_episode=True)

    return [
        of(
            "return",
            "Return",
            "",
            "Undiscounted sum of rewards of an episode",
            UP,
            "train/episode_reward",
        ),
        of("length", "Length", "decisions", "Decisions of an episode", UP, "train/episode_length"),
        of("success", "Success", "", "1 when the route was completed without collision", UP),
        of(
            "route_percent",
            "Route completed",
            "%",
            "Share of the route driven, from the episode's start",
            UP,
        ),
        of("distance", "Distance", "m", "Metres driven", UP),
        of(
            "collisions",
            "Collisions",
            "",
            "Collisions of an episode",
            DOWN,
            "train/collisions_per_episode",
        ),
        of(
            "lane_invasions",
            "Lane invasions",
            "",
            "Lane markings crossed",
            DOWN,
            "train/lane_invasions_per_episode",
        ),
        of("mean_speed", "Mean speed", "m/s", "Mean speed over the episode's ticks"),
        of("lateral_error", "Lateral error", "m", "Mean absolute lateral deviation", DOWN),
        of("heading_error", "Heading error", "rad", "Mean absolute heading error", DOWN),
        of("jerk", "Jerk", "m/s^3", "Mean absolute longitudinal jerk", DOWN),
        of(
            "min_ttc",
            "Minimum time to collision",
            "s",
            "Smallest time to collision; absent without traffic",
            UP,
        ),
        of("zero_speed_share", "Standing", "", "Share of ticks below 0.1 m/s", DOWN),
        of(
            "zero_speed_ticks",
            "Longest standstill",
            "ticks",
            "Longest run of ticks below 0.1 m/s",
            DOWN,
        ),
        of("termination", "Termination", "code", "Index of the reason in TERMINATIONS"),
        of("checksum_error", "Reward checksum", "", "|sum of components - return|", DOWN),
        *(
            of(
                name,
                name.replace("_", " ").capitalize(),
                "",
                f"Weighted {name} reward of the episode",
                UP,
                f"rewards/{name}_component",
            )
            for name in COMPONENTS
        ),
        *(
            of(
                f"{name}_percent",
                f"{name.replace('_', ' ').capitalize()} share",
                "%",
                f"Share of {name} in the absolute reward",
                Better.NEITHER,
                f"rewards/{name}_percentage",
            )
            for name in COMPONENTS
        ),
    ]


# Where, or by whom, the same driving is evaluated, besides the training routes themselves.
EVALUATION_GROUPS = {
    "evaluation": "",
    "held_out": " on held-out routes",
    "second_town": " in the second town",
    "baseline": " of the PID and pure pursuit driver",
}


def _evaluations() -> list[Metric]:
    """What every evaluation measures; the first of each group but `evaluation` have entries of their own."""

    def of(group: str, where: str) -> list[Metric]:
        rows = [
            ("return_mean", "Return", "", "Mean return", UP),
            ("return_std", "Return, std", "", "Population std of returns", DOWN),
            ("success_rate", "Success rate", "", "Share completed without collision", UP),
            ("episodes", "Episodes", "", "Episodes driven", Better.NEITHER),
            ("route_percent", "Route", "%", "Mean share of the route driven", UP),
            ("length", "Length", "decisions", "Mean decisions", UP),
            ("collisions", "Collisions", "", "Mean collisions", DOWN),
            ("lane_invasions", "Lane invasions", "", "Mean markings crossed", DOWN),
            ("success_low", "Success, low", "", "Lower end of its 95 % Wilson interval", UP),
            ("success_high", "Success, high", "", "Upper end of its 95 % Wilson interval", UP),
            ("collisions_per_km", "Collisions per km", "1/km", "Collisions per km driven", DOWN),
            ("completion_seconds", "Completion", "s", "Mean simulated time of successes", DOWN),
            ("mean_speed", "Speed", "m/s", "Mean speed", Better.NEITHER),
            ("lateral_error", "Lateral error", "m", "Mean absolute lateral deviation", DOWN),
            ("heading_error", "Heading error", "rad", "Mean absolute heading error", DOWN),
            ("jerk", "Jerk", "m/s^3", "Mean absolute longitudinal jerk", DOWN),
            ("min_ttc", "Minimum time to collision", "s", "Mean of the smallest", UP),
        ]
        first = 8 if group == "evaluation" else 0
        return [
            Metric(
                f"{group}/{name}", f"{title}{where}", unit, f"{meaning}{where}, no noise", better
            )
            for name, title, unit, meaning, better in rows[first:]
        ]

    return [metric for group, where in EVALUATION_GROUPS.items() for metric in of(group, where)]


def _rest() -> list[Metric]:
    actions = [
        metric
        for dimension in ("steering", "throttle")
        for metric in statistics(
            f"actions/{dimension}",
            dimension.capitalize(),
            f"the executed {dimension} action",
            f"debug/action_{dimension}",
        )
    ]
    policy = [
        Metric(
            f"actions/policy_{dimension}_{stat}",
            f"Policy {dimension}, {stat}",
            "",
            f"{stat} of pi(s) over the replay batch",
        )
        for dimension in ("steering", "throttle")
        for stat in ("mean", "std")
    ]
    evaluation = [
        *_evaluations(),
        Metric(
            "evaluation/return_mean",
            "Evaluation return",
            "",
            "Mean return, no noise",
            UP,
            ("eval/mean_reward",),
        ),
        Metric(
            "evaluation/return_std", "Evaluation return, std", "", "Population std of returns", DOWN
        ),
        Metric(
            "evaluation/success_rate",
            "Success rate",
            "",
            "Share of episodes completed without collision",
            UP,
            ("eval/success_rate",),
        ),
        Metric(
            "evaluation/route_percent",
            "Evaluation route",
            "%",
            "Mean share of the route driven",
            UP,
        ),
        Metric(
            "evaluation/length",
            "Evaluation length",
            "decisions",
            "Mean decisions",
            UP,
            ("eval/avg_episode_length",),
        ),
        Metric(
            "evaluation/collisions",
            "Evaluation collisions",
            "",
            "Mean collisions",
            DOWN,
            ("eval/avg_collisions",),
        ),
        Metric(
            "evaluation/lane_invasions",
            "Evaluation lane invasions",
            "",
            "Mean markings crossed",
            DOWN,
            ("eval/avg_lane_invasions",),
        ),
        Metric("evaluation/episodes", "Evaluation episodes", "", "Episodes of the evaluation"),
        Metric(
            "evaluation/episode_return",
            "Evaluation episode",
            "",
            "Return of every evaluation episode",
        ),
        Metric(
            "evaluation/random_return",
            "Random policy",
            "",
            "Return of every random-policy episode at step 0",
        ),
    ]
    progress = [
        Metric(
            "progress/steps_per_second",
            "Steps per second",
            "1/s",
            "Decisions per wall second, evaluation excluded",
            UP,
        ),
        Metric(
            "progress/buffer_size",
            "Replay size",
            "transitions",
            "Transitions held",
            UP,
            ("progress/buffer_size",),
        ),
        Metric(
            "progress/episode_steps",
            "Episode steps",
            "decisions",
            "Decisions into the episode",
            aliases=("progress/episode_steps",),
        ),
        Metric(
            "progress/learning",
            "Learning",
            "",
            "1 once updates are made, 0 while exploring",
            aliases=("agent/is_training",),
        ),
        Metric(
            "progress/reward",
            "Reward",
            "",
            "Reward of the decision",
            UP,
            ("progress/current_reward",),
        ),
        Metric("progress/speed", "Speed", "m/s", "Speed at the decision"),
        Metric(
            "progress/speed_kmh",
            "Speed",
            "km/h",
            "Speed as imported",
            aliases=("progress/speed_kmh",),
        ),
    ]
    features = [
        Metric(
            f"features/{net}_norm",
            f"{net.capitalize()} feature norm",
            "",
            "Mean over the batch of the L2 norm of the encoder's features",
        )
        for net in ("actor", "critic")
    ]
    system = [
        Metric("system/tick_ms", "Simulator tick", "ms", "Wall time of one tick", DOWN),
        Metric("system/reset_ms", "Reset", "ms", "Wall time of an episode reset", DOWN),
        Metric(
            "system/update_ms",
            "Update",
            "ms",
            "Wall time of one update; on a GPU, of giving it the work",
            DOWN,
        ),
        Metric("system/cpu_percent", "CPU", "%", "CPU of the trainer process"),
        Metric("system/ram_bytes", "Memory", "B", "Resident memory of the trainer process", DOWN),
        Metric("system/ram_free_bytes", "Memory free", "B", "Memory the machine could give", UP),
        Metric("system/gpu_bytes", "GPU memory", "B", "GPU memory PyTorch holds", DOWN),
        Metric("system/gpu_free_bytes", "GPU memory free", "B", "GPU memory still to be had", UP),
        Metric("system/disk_free_bytes", "Disk free", "B", "Free space where checkpoints go", UP),
        Metric("system/buffer_bytes", "Replay bytes", "B", "Bytes of the replay buffer"),
    ]
    reward = [
        Metric(
            f"reward/{name}",
            f"{name.replace('_', ' ').capitalize()}, per decision",
            "",
            f"Weighted {name} reward of the decision",
            UP,
        )
        for name in COMPONENTS
    ]
    return [*features, *actions, *policy, *evaluation, *progress, *reward, *system]


CATALOG: dict[str, Metric] = {
    metric.name: metric
    for metric in [*_episode(), *learner(), *parameters(), *gradients(), *behaviour(), *_rest()]
}
ALIASES: dict[str, str] = {
    alias: metric.name for metric in CATALOG.values() for alias in metric.aliases
}
TERMINATIONS = ("goal", "off_route", "collision", "timeout", "other")


def describe(name: str) -> Metric:
    """The catalogue's entry, or a plain one for a metric only its users know."""
    return CATALOG.get(name) or Metric(name, name, "", "A metric of the user's own")
