"""Every metric Pitwall knows: name, unit, group, meaning, better direction, and TensorBoard aliases."""

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """Which way a metric should go, if either."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True)
class Metric:
    """One metric. `aliases` are TensorBoard tags that mean the same; `per_episode` points are one an episode."""

    name: str
    title: str
    unit: str
    meaning: str
    better: Better = Better.NEITHER
    aliases: tuple[str, ...] = ()
    per_episode: bool = False

    @property
    def group(self) -> str:
        return self.name.split("/", 1)[0]


UP, DOWN = Better.HIGHER, Better.LOWER
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


def _statistics(
    prefix: str, title: str, meaning: str, tag: str, mean_aliases: tuple[str, ...] = ()
) -> list[Metric]:
    return [
        Metric(
            f"{prefix}_{stat}",
            f"{title}, {stat}",
            "",
            f"{stat} of {meaning} over the batch",
            aliases=(f"{tag}_{stat}", *(mean_aliases if stat == "mean" else ())),
        )
        for stat in ("mean", "std", "min", "max")
    ]


def _learner() -> list[Metric]:
    return [
        Metric(
            "learner/critic_loss",
            "Critic loss",
            "",
            "Sum over critics of the mean squared TD error",
            DOWN,
            ("train/critic_loss",),
        ),
        Metric(
            "learner/actor_loss",
            "Actor loss",
            "",
            "-mean Q1(s, pi(s))",
            DOWN,
            ("train/actor_loss",),
        ),
        Metric(
            "learner/td_error_q1",
            "TD error Q1",
            "",
            "Mean |Q1 - target|",
            DOWN,
            ("debug/td_error_q1",),
        ),
        Metric(
            "learner/td_error_q2",
            "TD error Q2",
            "",
            "Mean |Q2 - target|",
            DOWN,
            ("debug/td_error_q2",),
        ),
        *_statistics(
            "learner/q1", "Q1", "Q1(s, a) of replayed actions", "debug/q1", ("train/q1_value",)
        ),
        *_statistics(
            "learner/q2", "Q2", "Q2(s, a) of replayed actions", "debug/q2", ("train/q2_value",)
        ),
        *_statistics("learner/target_q", "Target Q", "the TD target", "debug/target_q"),
        *_statistics("learner/actor_q", "Actor-Q", "Q1(s, pi(s))", "debug/actor_q"),
        *_statistics("learner/reward", "Replayed reward", "replayed rewards", "debug/reward"),
        Metric(
            "learner/done_ratio",
            "Terminal share",
            "",
            "Share of terminal transitions in the batch",
            aliases=("debug/done_ratio",),
        ),
        Metric(
            "learner/exploration_noise",
            "Exploration noise",
            "",
            "Std of the policy's exploration noise",
            aliases=("train/exploration_noise",),
        ),
        Metric(
            "learner/updates",
            "Updates",
            "",
            "Critic updates so far",
            UP,
            ("agent/total_iterations",),
        ),
        Metric(
            "learner/updates_per_step",
            "Updates per step",
            "",
            "Updates per decision since the last point",
        ),
        Metric(
            "learner/actor_learning_rate",
            "Actor learning rate",
            "",
            "Observed in the optimiser",
            aliases=("agent/actor_lr",),
        ),
        Metric(
            "learner/critic_learning_rate",
            "Critic learning rate",
            "",
            "Observed in the optimiser",
            aliases=("agent/critic_lr",),
        ),
    ]


def _gradients() -> list[Metric]:
    found = []
    for net in ("actor", "critic"):
        for side, tag in (("before_clip", "BEFORE"), ("after_clip", "AFTER")):
            found.append(
                Metric(
                    f"gradients/{net}_norm_{side}",
                    f"{net.capitalize()} gradient, {side.replace('_', ' ')}",
                    "",
                    f"Global L2 norm {side.replace('_', ' ')}",
                    aliases=(f"debug/{net}_grad_norm_{tag}_clip",),
                )
            )
        for part, tag in (("encoder", "cnn"), ("head", "mlp")):
            found.append(
                Metric(
                    f"gradients/{net}_{part}_norm_before_clip",
                    f"{net.capitalize()} {part} gradient, before clip",
                    "",
                    f"L2 norm of the {part}'s gradient before clipping",
                    aliases=(f"gradients/{net}_{tag}_norm",),
                )
            )
            found.append(
                Metric(
                    f"gradients/{net}_{part}_norm_after_clip",
                    f"{net.capitalize()} {part} gradient, after clip",
                    "",
                    f"L2 norm of the {part}'s gradient after clipping",
                    aliases=(f"debug/{net}_{tag}_grad_norm_AFTER_clip",),
                )
            )
        found.append(
            Metric(
                f"gradients/{net}_clip_ratio",
                f"{net.capitalize()} clip ratio",
                "",
                "Norm after clip / before clip; 1 is unclipped",
                aliases=(f"debug/{net}_grad_clip_ratio",),
            )
        )
    return found


def _rest() -> list[Metric]:
    actions = [
        metric
        for dimension in ("steering", "throttle")
        for metric in _statistics(
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
        Metric("system/update_ms", "Update", "ms", "Wall time of one update", DOWN),
        Metric("system/cpu_percent", "CPU", "%", "CPU of the trainer process"),
        Metric("system/ram_bytes", "Memory", "B", "Resident memory of the trainer process", DOWN),
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
    metric.name: metric for metric in [*_episode(), *_learner(), *_gradients(), *_rest()]
}
ALIASES: dict[str, str] = {
    alias: metric.name for metric in CATALOG.values() for alias in metric.aliases
}
TERMINATIONS = ("goal", "off_route", "collision", "timeout", "other")


def describe(name: str) -> Metric:
    """The catalogue's entry, or a plain one for a metric only its users know."""
    return CATALOG.get(name) or Metric(name, name, "", "A metric of the user's own")
