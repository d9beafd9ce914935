"""The catalogue's entries of the learner: losses, Q values, gradients."""

from backend.metrics.metric import DOWN, UP, Metric


def statistics(
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


def learner() -> list[Metric]:
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
        *statistics(
            "learner/q1", "Q1", "Q1(s, a) of replayed actions", "debug/q1", ("train/q1_value",)
        ),
        *statistics(
            "learner/q2", "Q2", "Q2(s, a) of replayed actions", "debug/q2", ("train/q2_value",)
        ),
        *statistics("learner/target_q", "Target Q", "the TD target", "debug/target_q"),
        *statistics("learner/actor_q", "Actor-Q", "Q1(s, pi(s))", "debug/actor_q"),
        *statistics("learner/reward", "Replayed reward", "replayed rewards", "debug/reward"),
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


def gradients() -> list[Metric]:
    found = [
        Metric(
            "gradients/policy_head_share",
            "Policy head's share",
            "",
            "Norm of the policy head's gradient / norm of the actor's whole; near 0 the encoder takes it all",
        )
    ]
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
                )
            )
            # In one of the founding logs it equals the norm after the clip, in others it is far above it.
            found.append(
                Metric(
                    f"gradients/{net}_{part}_norm",
                    f"{net.capitalize()} {part} gradient, side of the clip not logged",
                    "",
                    f"L2 norm of the {part}'s gradient; the log does not say on which side of the clip",
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
