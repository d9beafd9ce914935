"""Keys that a configuration as it stands never reads: setting one would be a lie. Pure."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from backend.errors import InvalidConfig, shown

if TYPE_CHECKING:
    from backend.runs.config import RunConfig

# What only the driving task reads, besides the groups of its own.
DRIVING_GROUPS = ("task", "observation", "reward")
DRIVING = ("baseline_episodes", "elsewhere_episodes", "evaluation_screening")
PICTURES = ("camera_width", "camera_height", "frame_stack", "encoder", "encoder_layer_norm")
ELSEWHERE = ("held_out_routes", "second_town", "second_town_routes", "elsewhere_episodes")
# Keys that are read only while another is on, or not 0.
SWITCHES = {
    "traffic": ("scenario", "vehicle_ahead", "reward_following"),
    "random_start_probability": ("random_start_speed",),
    "reward_efficiency": ("reward_overspeed_slope",),
    "reward_safety": ("reward_standing", "reward_off_road"),
    "reward_progress": ("reward_goal",),
    "target_policy_noise": ("target_noise_clip",),
    "noise_decay": ("noise_final",),
    "evaluation_interval": ELSEWHERE,
    "rollback_limit": ("rollback_learning_rate_factor",),
}


def unread(config: "RunConfig") -> dict[str, str]:
    """Every key that is never read, and the value of another that makes it so."""
    return {name: why for why, names in _unread(config) for name in names}


def _unread(config: "RunConfig") -> Iterator[tuple[str, tuple[str, ...]]]:
    for switch, names in SWITCHES.items():
        value = getattr(config, switch)
        if not value:
            yield f"{switch} is {'off' if value is False else 0}", names
    if config.noise_initial == config.noise_final:
        yield "noise_initial equals noise_final", ("noise_decay",)
    if config.exploration == "uniform":
        yield "exploration is uniform", ("hold_decisions",)
    if not (config.held_out_routes or config.second_town):
        yield "held_out_routes and second_town are empty", ("elsewhere_episodes",)
    if config.actor_input == "image" and config.critic_input == "same":
        yield "neither actor nor critic sees the 53-vector", ("vehicle_ahead",)
    if not config.uses_images:
        yield f"actor_input is {config.actor_input}", PICTURES
    if not config.is_carla:
        yield f"environment is {config.environment}", _of_driving(type(config))


def _of_driving(model: "type[RunConfig]") -> tuple[str, ...]:
    found = [name for name, group in model.groups().items() if group in DRIVING_GROUPS]
    return (*found, *DRIVING)


def idle_choices(
    config: "RunConfig", chosen: Mapping[str, Any], before: "RunConfig"
) -> dict[str, str]:
    """What was `chosen` to be other than `before` and will never be read, and why."""
    return {
        name: why
        for name, why in unread(config).items()
        if name in chosen and getattr(config, name) != getattr(before, name)
    }


def never_read(why: str) -> str:
    """What is said of a choice that does nothing."""
    return f"would never be read, for {why}: change that, or leave it out"


def refuse_idle(idle: Mapping[str, str], chosen: Mapping[str, Any]) -> None:
    """Refuse choices that do nothing.

    Raises:
        InvalidConfig: with every such key, its value and why.
    """
    if idle:
        raise InvalidConfig(
            {name: f"{shown(chosen[name])} {never_read(why)}" for name, why in idle.items()}
        )


def effective(config: "RunConfig") -> dict[str, Any]:
    """The values that are read: equal for configurations that train alike."""
    dead = unread(config)
    return {name: value for name, value in config if name not in dead}
