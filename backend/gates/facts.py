"""What the rules may know of a run besides its points: read from its configuration."""

from pydantic import ValidationError

from backend.rules.rule import RunFacts
from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.states import RunState


def facts_of_config(config: RunConfig, rate_factor: float = 1.0) -> RunFacts:
    """Facts of a run that Pitwall trains; `rate_factor`: what rollbacks left of its learning rates."""
    return RunFacts(
        learning_starts=config.learning_starts,
        total_steps=config.total_steps,
        native=True,
        has_encoder=config.uses_images,
        gamma=config.gamma,
        reward_scale=config.reward_scale,
        updates_per_step=config.updates_per_step,
        actor_learning_rate=config.actor_learning_rate,
        critic_learning_rate=config.critic_learning_rate,
        rate_factors=_factors(config.rollback_learning_rate_factor, rate_factor),
        actor_max_grad_norm=config.actor_max_grad_norm or None,
        critic_max_grad_norm=config.critic_max_grad_norm or None,
        max_episode_ticks=config.max_episode_ticks if config.is_carla else None,
    )


def _factors(each: float, left: float) -> tuple[float, ...]:
    """What every rollback left of the learning rates, down to `left`."""
    factors = [1.0]
    while each < 1 and factors[-1] > left * (1 + 1e-9):
        factors.append(factors[-1] * each)
    return tuple(factors)


def facts_of(run: Run) -> RunFacts:
    """Facts of any stored run; of an imported log or a user's own trainer only what it told."""
    try:
        return facts_of_config(RunConfig.model_validate(run.config), run.learning_rate_factor)
    except ValidationError:
        return _told(run)


def _told(run: Run) -> RunFacts:
    config = run.config
    starts = config.get("learning_starts")
    planned = config.get("source") != "tensorboard" and bool(config.get("total_steps"))
    return RunFacts(
        learning_starts=int(starts) if isinstance(starts, int | float) else None,
        total_steps=run.total_steps if planned or RunState(run.state).is_over else 0,
        native=False,
        planned=planned,
    )
