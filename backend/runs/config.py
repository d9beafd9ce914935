"""RunConfig: every choice of a run in one flat, documented model; form, CLI, docs and trainer read it."""

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from backend.runs.contradictions import DDPG_TRICKS
from backend.runs.fields import MOST_STEPS, Probability, Route, Width, documented
from backend.runs.weather import Weather

REWARD_FIELDS_PREFIX = "reward_"
# What tells of divergence, or of networks dead of it; a preset without one of these rules never asks.
DIVERGENCE = (
    "non_finite",
    "impossible_q",
    "over_estimation",
    "vanished_gradient",
    "constant_action",
)


class RunConfig(BaseModel):
    """Configuration of one training run. Unknown keys are errors: a key that is never read is a lie.

    Values that contradict each other are refused where a configuration is parsed; one that was stored stays readable.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    algorithm: Literal["td3", "ddpg"] = documented(
        "td3", "run", "Learning algorithm; DDPG is TD3 with its three tricks off"
    )
    environment: str = documented(
        "carla",
        "run",
        "`carla`, or `gymnasium:ID` for any Gymnasium environment with a Box action; `gymnasium:MODULE:ID` imports a module of yours that registers it",
        pattern=r"^(carla|gymnasium:([A-Za-z_]\w*(\.\w+)*:)?[A-Za-z0-9_./-]+)$",
        examples=["carla", "gymnasium:Pendulum-v1"],
    )
    seed: int = documented(
        0, "run", "Seed of networks, exploration, replay sampling and episodes", ge=0, le=2**31 - 1
    )
    total_steps: int = documented(
        100_000, "run", "Decisions (environment steps) to train for", ge=1, le=MOST_STEPS
    )
    device: Literal["cpu", "cuda", "auto"] = documented(
        "cpu", "run", "Where networks live; `auto` takes a GPU if there is one"
    )
    tf32: bool = documented(
        False,
        "run",
        "On a GPU, round what convolutions multiply to TF32, as PyTorch does by default: updates take half the time, gradients agree to 2 % instead of 0.0003 %",
        sb3=True,
    )
    torch_threads: int = documented(
        1,
        "run",
        "CPU threads of torch; results are bit-exact only for an equal count",
        ge=1,
        le=128,
    )

    town: str = documented(
        "town",
        "task",
        "Map of the simulator: `town`, `oval`, or a map the CARLA server has (Town01...)",
        pattern=r"^\w+(/\w+)*$",
        examples=["town", "Town01"],
        max_length=120,
    )
    routes: list[Route] = documented(
        ["right"],
        "task",
        "Routes driven, one drawn per episode; `right`, `straight`, `left` in the generated town, or `FROM-TO` spawn point numbers",
        min_length=1,
        examples=["right", "4-17"],
    )
    held_out_routes: list[Route] = documented(
        [],
        "task",
        "Routes of the same map that are never trained on, driven after each full evaluation",
        examples=["left", "4-17"],
    )
    second_town: str = documented(
        "",
        "task",
        "Another map of the same server, loaded and driven after each full evaluation; empty: none",
        pattern=r"^(\w+(/\w+)*)?$",
        examples=["oval", "Town02"],
        max_length=120,
    )
    second_town_routes: list[Route] = documented(
        [], "task", "Routes driven there; `FROM-TO` spawn point numbers", examples=["0-6", "4-17"]
    )
    scenario: Literal[0, 1, 2] = documented(
        0, "task", "Traffic density: 0, 1, 2 = 20, 50, 100 vehicles, when `traffic` is on"
    )
    traffic: bool = documented(False, "task", "Whether other vehicles drive (Traffic Manager)")
    weather: Weather = documented("ClearNoon", "task", "Weather preset of CARLA, by name")
    ticks_per_decision: int = documented(
        2, "task", "Simulator ticks of 0.05 s that one action is held; 2 is 10 Hz", ge=1, le=20
    )
    max_episode_ticks: int = documented(
        1000, "task", "Ticks after which an episode is truncated (bootstraps)", ge=10, le=1_000_000
    )
    max_deviation: float = documented(
        2.5, "task", "Lateral deviation from the route in metres that ends the episode", gt=0, le=50
    )
    random_start_probability: Probability = documented(
        0.7, "task", "Share of training episodes that start somewhere along the route, moving"
    )
    random_start_speed: float = documented(
        9.0, "task", "Such starts roll at a speed uniform in [0, this], m/s", ge=0, le=30
    )
    start_jitter: bool = documented(
        True, "task", "Jitter starts: 0-8 m along, 0.3 m sideways, 3 degrees"
    )

    actor_input: Literal["vector", "image", "image+vector"] = documented(
        "vector",
        "observation",
        "What the policy sees: the 53-vector; camera with speed and route command; camera with the 53-vector",
    )
    critic_input: Literal["same", "vector"] = documented(
        "same",
        "observation",
        "What the critic sees in training: the same, or the 53-vector (privileged critic)",
    )
    vehicle_ahead: bool = documented(
        False,
        "observation",
        "Whoever sees the 53-vector is also told of the vehicle ahead on the route: nearness and closing speed",
    )
    camera_width: int = documented(
        84,
        "observation",
        "Camera image width in pixels as rendered; area-resized to 84x84",
        ge=16,
        le=1920,
    )
    camera_height: int = documented(
        84,
        "observation",
        "Camera image height in pixels as rendered; area-resized to 84x84",
        ge=16,
        le=1080,
    )
    frame_stack: int = documented(4, "observation", "Gray frames stacked", ge=1, le=16)

    reward_efficiency: float = documented(
        2.0, "reward", "Weight of efficiency: v cos(heading error) / target speed", ge=0
    )
    reward_lane_keeping: float = documented(2.0, "reward", "Weight of lane keeping", ge=0)
    reward_comfort: float = documented(1.0, "reward", "Weight of comfort (jerk)", ge=0)
    reward_safety: float = documented(
        1.0, "reward", "Weight of safety (collisions, standing, leaving the road)", ge=0
    )
    reward_progress: float = documented(3.0, "reward", "Weight of progress along the route", ge=0)
    reward_target_speed: float = documented(
        8.33, "reward", "Speed in m/s at which efficiency is 1", gt=0, le=60
    )
    reward_overspeed_slope: float = documented(
        2.0, "reward", "Loss of efficiency per unit above 1; 0 clips at 1", ge=0
    )
    reward_following: bool = documented(
        False,
        "reward",
        "Behind a vehicle efficiency is 1 at the speed that stops short of it, and waiting there is not standing",
    )
    reward_standing: float = documented(
        0.5, "reward", "Largest penalty per tick for standing; grows over ten seconds", ge=0
    )
    reward_off_road: float = documented(20.0, "reward", "Penalty for leaving the route", ge=0)
    reward_goal: float = documented(100.0, "reward", "Progress reward for reaching the goal", ge=0)

    hidden_sizes: list[Width] = documented(
        [256, 256],
        "networks",
        "Widths of the heads' hidden layers",
        sb3=[400, 300],
        min_length=1,
        max_length=8,
    )
    encoder: Literal["nature", "small"] = documented(
        "nature",
        "networks",
        "Image encoder: NatureCNN, or a small one for CPUs; unused without images",
    )
    encoder_layer_norm: bool = documented(
        True,
        "networks",
        "LayerNorm after every convolution and fc layer of NatureCNN; of the small encoder after its fc layer",
    )
    shared_encoder: bool = documented(
        False,
        "networks",
        "Actor and critic see through one encoder, trained by the critic alone; otherwise each has its own",
        sb3=False,
    )
    head_layer_norm: bool = documented(
        False, "networks", "LayerNorm after every hidden layer of the heads"
    )

    actor_learning_rate: float = documented(
        3e-4, "learner", "Adam's learning rate of the actor", sb3=1e-3, gt=0, le=10
    )
    critic_learning_rate: float = documented(
        3e-4, "learner", "Adam's learning rate of the critics", sb3=1e-3, gt=0, le=10
    )
    batch_size: int = documented(256, "learner", "Transitions per update", sb3=256, ge=1, le=65536)
    gamma: Probability = documented(0.99, "learner", "Discount per decision", sb3=0.99)
    tau: float = documented(
        0.005, "learner", "Polyak coefficient of the target networks", sb3=0.005, gt=0, le=1
    )
    policy_delay: int = documented(
        2, "learner", "Critic updates per actor update", sb3=2, ge=1, le=1000
    )
    target_policy_noise: float = documented(
        0.2, "learner", "Std of target policy smoothing noise", sb3=0.2, ge=0, le=2
    )
    target_noise_clip: float = documented(0.5, "learner", "Clip of that noise", sb3=0.5, ge=0, le=2)
    twin_critics: bool = documented(
        True, "learner", "Clipped double Q; DDPG has one critic", sb3=True
    )
    learning_starts: int = documented(
        1000, "learner", "Decisions explored before the first update", sb3=100, ge=0, le=MOST_STEPS
    )
    updates_per_step: float = documented(
        1.0, "learner", "Updates per decision; 0.5 is one every other decision", sb3=1, gt=0, le=64
    )
    buffer_size: int = documented(
        200_000,
        "learner",
        "Transitions the replay buffer holds",
        sb3=1_000_000,
        ge=1,
        le=MOST_STEPS,
    )
    actor_max_grad_norm: float = documented(
        1.0, "learner", "Global-norm clip of the actor's gradient; 0 is off", ge=0
    )
    critic_max_grad_norm: float = documented(
        10.0, "learner", "Global-norm clip of the critics' gradient; 0 is off", ge=0
    )
    reward_scale: float = documented(
        1.0, "learner", "Factor on rewards inside the learner only", gt=0
    )

    exploration: Literal["uniform", "held"] = documented(
        "uniform",
        "exploration",
        "Before learning starts: a new uniform action each decision, or actions held for about a second, mostly forward",
    )
    hold_decisions: float = documented(
        10.0, "exploration", "Mean decisions a held action lasts", ge=1
    )
    noise_initial: float = documented(
        0.3, "exploration", "Std of exploration noise when learning starts", ge=0, le=2
    )
    noise_final: float = documented(0.1, "exploration", "Std it decays to", sb3=0.0, ge=0, le=2)
    noise_decay: float = documented(0.00025, "exploration", "Rate of that decay per decision", ge=0)

    evaluation_interval: int = documented(
        5_000, "evaluation", "Decisions between evaluations; 0 is never", ge=0, le=MOST_STEPS
    )
    evaluation_episodes: int = documented(
        20, "evaluation", "Episodes of an evaluation", ge=1, le=1000
    )
    evaluation_screening: int = documented(
        5,
        "evaluation",
        "Episodes tried first; the rest follow only if 80 % of these succeed; 0 runs all",
        ge=0,
        le=1000,
    )
    elsewhere_episodes: int = documented(
        10,
        "evaluation",
        "Episodes on held-out routes, and as many in the second town",
        ge=1,
        le=1000,
    )
    baseline_episodes: int = documented(
        10,
        "evaluation",
        "Episodes of the PID and pure pursuit driver measured at step 0; its results are lines on the charts",
        ge=0,
        le=1000,
    )
    random_reference_episodes: int = documented(
        10, "evaluation", "Episodes of the random policy measured at step 0", ge=0, le=1000
    )

    checkpoint_interval: int = documented(
        25_000, "checkpoints", "Decisions between checkpoints", ge=1, le=MOST_STEPS
    )
    checkpoints_kept: int = documented(
        5,
        "checkpoints",
        "Interval checkpoints kept; best, pinned and the last always stay",
        ge=1,
        le=1000,
    )

    rules: str = documented(
        "behavioural",
        "verdict",
        "Preset of go / no-go rules: `behavioural`, `founding`, or a saved one; `NAME@2` is its version 2",
        pattern=r"^[a-z][a-z0-9_-]{0,47}(@[1-9][0-9]{0,5})?$",
        examples=["behavioural", "my-rules@2"],
    )
    halt_on: list[str] = documented(
        [],
        "verdict",
        "Rules whose worst state halts the run after a checkpoint, besides those that always do",
    )
    gates: Literal["act", "note"] = documented(
        "act",
        "verdict",
        "What a gate at a step does that says halt: `act` halts the run after a checkpoint, `note` only records it",
    )
    rollback_on: list[str] = documented(
        list(DIVERGENCE),
        "verdict",
        "Rules whose critical state takes the run back to its newest checkpoint that was not NO-GO; `halt_on` goes before",
    )
    rollback_limit: int = documented(
        3,
        "verdict",
        "Times rules may take the run back; then it halts for a person to look",
        ge=0,
        le=100,
    )
    rollback_learning_rate_factor: float = documented(
        0.3,
        "verdict",
        "Factor on both learning rates at each such return; with 1 a run on a CPU repeats itself exactly",
        gt=0,
        le=1,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes true for 1: a tau of true is a slip, not a tau."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and kind is not bool:
            raise ValueError(f"{str(value).lower()} is no value for it: give a number or a text")
        return value

    @model_validator(mode="before")
    @classmethod
    def _without_tricks(cls, values: Any) -> Any:
        """DDPG's config says what DDPG does, not TD3's defaults."""
        if isinstance(values, dict) and values.get("algorithm") == "ddpg":
            return {**DDPG_TRICKS, **values}
        return values

    @classmethod
    def groups(cls) -> dict[str, str]:
        """The group of every field, in the form's order."""
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        return {name: str(e["group"]) for name, e in extras.items() if isinstance(e, dict)}

    @property
    def uses_images(self) -> bool:
        return self.actor_input != "vector"

    @property
    def sees_vehicle_ahead(self) -> bool:
        """Without traffic too, and then of none: a policy that learnt among vehicles can be driven alone."""
        return self.vehicle_ahead and self.is_carla

    @property
    def gymnasium_id(self) -> str:
        """ID or MODULE:ID as `gymnasium.make` takes it; empty for CARLA."""
        return self.environment.partition(":")[2]

    @property
    def is_carla(self) -> bool:
        return self.environment == "carla"

    def slowed(self, factor: float) -> Self:
        """The same with both learning rates times `factor`: what an attempt after a rollback trains with."""
        if factor == 1:
            return self
        return self.model_copy(
            update={
                "actor_learning_rate": self.actor_learning_rate * factor,
                "critic_learning_rate": self.critic_learning_rate * factor,
            }
        )

    @property
    def hash(self) -> str:
        """sha256 of the canonical JSON; equal configs have equal hashes."""
        return _digest(self.model_dump(mode="json"))

    @property
    def reward_fingerprint(self) -> str:
        """Returns are compared only between runs whose fingerprints are equal."""
        fields = {
            k: v
            for k, v in self.model_dump(mode="json").items()
            if k.startswith(REWARD_FIELDS_PREFIX)
        }
        fields.pop("reward_scale")
        # without it nothing is paid otherwise than before there was the choice
        if not (self.traffic and self.reward_following):
            fields.pop("reward_following")
        return _digest(
            {**fields, "environment": self.environment, "ticks": self.ticks_per_decision}
        )[:16]


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
