"""Keys that a configuration as it stands never reads: setting one would be a lie. Pure."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from backend.errors import InvalidConfig, shown

if TYPE_CHECKING:
    from backend.runs.config import RunConfig

# What only the driving task reads, besides the groups of its own.
DRIVING_GROUPS = ("task", "observation", "reward")
DRIVING = ("baseline_episodes", "elsewhere_episodes")
PICTURES = ("camera_width", "camera_height", "frame_stack", "encoder", "encoder_layer_norm")
ELSEWHERE = ("held_out_routes", "second_town", "second_town_routes", "elsewhere_episodes")


def unread(config: "RunConfig") -> dict[str, str]:
    """Every key that is never read, and the value of another that makes it so."""
    return {name: why for why, names in _unread(config) for name in names}


def _unread(config: "RunConfig") -> Iterator[tuple[str, tuple[str, ...]]]:
    if not config.traffic:
        yield "traffic is off", ("scenario",)
    if not config.random_start_probability:
        yield "random_start_probability is 0", ("random_start_speed",)
    if config.exploration == "uniform":
        yield "exploration is uniform", ("hold_decisions",)
    if not config.target_policy_noise:
        yield "target_policy_noise is 0", ("target_noise_clip",)
    if not (config.held_out_routes or config.second_town):
        yield "held_out_routes and second_town are empty", ("elsewhere_episodes",)
    if not config.evaluation_interval:
        yield "evaluation_interval is 0", ELSEWHERE
    if not config.uses_images:
        yield f"actor_input is {config.actor_input}", PICTURES
    if not config.is_carla:
        yield f"environment is {config.environment}", _of_driving(type(config))


def _of_driving(model: "type[RunConfig]") -> tuple[str, ...]:
    found = [name for name, group in model.groups().items() if group in DRIVING_GROUPS]
    return (*found, *DRIVING)


def refuse_unread(config: "RunConfig", chosen: Mapping[str, Any], before: "RunConfig") -> None:
    """Refuse what was `chosen` to be other than `before`, and will never be read.

    Raises:
        InvalidConfig: with every such key, its value and why.
    """
    problems = {
        name: f"{shown(getattr(config, name))} would never be read, for {why}: leave it out"
        for name, why in unread(config).items()
        if name in chosen and getattr(config, name) != getattr(before, name)
    }
    if problems:
        raise InvalidConfig(problems)


def effective(config: "RunConfig") -> dict[str, Any]:
    """The values that are read: equal for configurations that train alike."""
    dead = unread(config)
    return {name: value for name, value in config if name not in dead}
