"""What no single field of a configuration shows: values that contradict each other. Pure."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.runs.config import RunConfig

LARGEST_SCALE = 1e6
DDPG_TRICKS: dict[str, Any] = {"twin_critics": False, "policy_delay": 1, "target_policy_noise": 0.0}


def contradictions(config: "RunConfig") -> list[str]:
    """Problems no single field shows, each beginning with the field at fault."""
    found = [*_elsewhere(config), *_schedules(config)]
    if config.batch_size > config.buffer_size:
        found.append(
            f"batch_size ({config.batch_size}) exceeds buffer_size ({config.buffer_size}): lower it or enlarge the buffer"
        )
    if config.batch_size > max(1, config.learning_starts):
        found.append(
            f"batch_size ({config.batch_size}) exceeds learning_starts ({config.learning_starts}): "
            "the first update would have too few transitions; raise learning_starts or lower batch_size"
        )
    if config.reward_scale > LARGEST_SCALE:
        found.append(
            f"reward_scale ({config.reward_scale:g}) is more than {LARGEST_SCALE:,.0f}: lower it, float32 ends soon after"
        )
    if config.tf32 and config.device == "cpu":
        found.append(
            "tf32 (true) is how a GPU computes: choose the device cuda or auto, or leave it out"
        )
    found += _of_sight(config)
    if config.algorithm == "ddpg":
        for name, off in DDPG_TRICKS.items():
            if getattr(config, name) != off:
                found.append(
                    f"{name} ({getattr(config, name)}) is one of TD3's tricks: "
                    f"leave it out or set {off} with ddpg, or choose td3"
                )
    if config.is_carla and config.evaluation_screening > config.evaluation_episodes:
        found.append(
            f"evaluation_screening ({config.evaluation_screening}) exceeds evaluation_episodes "
            f"({config.evaluation_episodes}): lower it"
        )
    return found


def _elsewhere(config: "RunConfig") -> list[str]:
    """Where a policy is evaluated besides the routes it trains on."""
    found = []
    if shared := sorted(set(config.held_out_routes) & set(config.routes)):
        found.append(
            f"held_out_routes ({', '.join(shared)}) are trained on: take them out of it or of routes"
        )
    if bool(config.second_town) != bool(config.second_town_routes):
        found.append(
            f"second_town ('{config.second_town}') and second_town_routes "
            f"({', '.join(config.second_town_routes) or 'none'}) go together: give both or neither"
        )
    if config.second_town and config.second_town == config.town:
        found.append(
            f"second_town ({config.second_town}) is the town trained in: name another, "
            "or put its routes into held_out_routes"
        )
    return found


def _schedules(config: "RunConfig") -> list[str]:
    found = []
    learning = config.total_steps - max(config.learning_starts, 1) + 1  # decisions updates follow
    if config.learning_starts >= config.total_steps:
        found.append(
            f"learning_starts ({config.learning_starts}) is not below total_steps ({config.total_steps}): "
            "lower it or lengthen the run"
        )
    elif (updates := int(learning * config.updates_per_step)) < 1:
        found.append(
            f"updates_per_step ({config.updates_per_step:g}) makes no update in the {learning:,} decisions "
            "that learn: raise it"
        )
    elif updates <= config.policy_delay:
        found.append(
            f"policy_delay ({config.policy_delay}) is not below the {updates:,} updates of the whole run: "
            "the actor would never learn; lower it or lengthen the run"
        )
    if config.noise_final > config.noise_initial:
        found.append(
            f"noise_final ({config.noise_final:g}) exceeds noise_initial ({config.noise_initial:g}), "
            "from which it decays: lower it or raise noise_initial"
        )
    return found


def _of_sight(config: "RunConfig") -> list[str]:
    found = []
    if config.critic_input == "vector" and not config.uses_images:
        found.append(
            f"critic_input (vector) only differs from `same` with images: actor_input is {config.actor_input}"
        )
    if config.shared_encoder and not (config.uses_images and config.critic_input == "same"):
        found.append(
            f"shared_encoder (true) needs a critic that sees the actor's pictures: actor_input is "
            f"{config.actor_input}, critic_input {config.critic_input}"
        )
    if config.uses_images and not config.is_carla:
        found.append(
            f"actor_input ({config.actor_input}) needs the carla environment: {config.environment} has no camera"
        )
    return found
