"""A matrix of runs: every variant of a configuration with every seed, all of them valid or none. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.errors import InvalidConfig
from backend.runs.config import RunConfig
from backend.runs.parsing import can_leave_out, parse_config, parse_leniently, preset_values
from backend.runs.unread import effective, idle_choices, never_read, refuse_idle, unread

MOST_RUNS = 200
LONGEST_NAME = 40
BASELINE = "baseline"

Check = Callable[[RunConfig], None]


def unchecked(_config: RunConfig) -> None:
    """What the configuration says of itself is enough."""


@dataclass(frozen=True)
class Cell:
    """One run of a matrix."""

    variant: str
    config: RunConfig

    @property
    def seed(self) -> int:
        return self.config.seed


def expand(
    preset: str,
    config: Mapping[str, Any],
    seeds: Sequence[int] = (),
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    check: Check = unchecked,
) -> list[Cell]:
    """Every variant with every seed, the first seed of all variants first.

    Without seeds there is the configuration's own; without variants, the configuration as it is. `check` is asked
    of each variant, and may refuse more.

    Raises:
        InvalidConfig: naming `seeds`, or `variants.NAME.FIELD`, with the value and the remedy.
    """
    variants = variants or {BASELINE: {}}
    _check_names(variants)
    found = _variants(preset, config, variants, check)
    refuse_idle(_idle(preset, config, variants, found, seeds), config)
    seeds = list(seeds) or [next(iter(found.values())).seed]
    _check_seeds(seeds)
    if len(seeds) * len(variants) > MOST_RUNS:
        raise InvalidConfig(
            {
                "seeds": f"{len(seeds)} seeds of {len(variants)} variants are "
                f"{len(seeds) * len(variants)} runs: {MOST_RUNS} at most, leave some out"
            }
        )
    _check_read(variants, found)
    _check_different(found)
    return [Cell(name, _seeded(variant, seed)) for seed in seeds for name, variant in found.items()]


def idle_in_all(
    preset: str,
    config: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    seeds: Sequence[int] = (),
) -> dict[str, str]:
    """What `config` changes of the preset and no run would ever read, and why.

    Raises:
        InvalidConfig: as `expand` does for a variant.
    """
    variants = variants or {BASELINE: {}}
    configs = _variants(preset, config, variants, unchecked)
    return _idle(preset, config, variants, configs, seeds)


def _idle(
    preset: str,
    config: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
    configs: Mapping[str, RunConfig],
    seeds: Sequence[int],
) -> dict[str, str]:
    before, values = parse_config(preset), preset_values(preset)
    each = [idle_choices(variant, config, before) for variant in configs.values()]
    idle = {name: why for name, why in each[0].items() if all(name in other for other in each)}
    removable = all(
        can_leave_out(values, {**config, **overrides}, idle) for overrides in variants.values()
    )
    found = idle if removable else {}
    if seeds and config.get("seed", before.seed) != before.seed:
        found["seed"] = "seeds are given"
    return found


def _seeded(config: RunConfig, seed: int) -> RunConfig:
    return RunConfig.model_validate({**config.model_dump(), "seed": seed})


def _check_seeds(seeds: Sequence[int]) -> None:
    twice = next((seed for at, seed in enumerate(seeds) if seed in seeds[:at]), None)
    if twice is not None:
        raise InvalidConfig(
            {"seeds": f"seed {twice} stands there twice: both runs would be the same, drop one"}
        )
    for seed in seeds:
        if not 0 <= seed < 2**31:
            raise InvalidConfig({"seeds": f"{seed} is no seed: give numbers from 0 to {2**31 - 1}"})


def _check_names(variants: Mapping[str, Mapping[str, Any]]) -> None:
    for name in variants:
        if not name.strip() or len(name) > LONGEST_NAME:
            raise InvalidConfig(
                {"variants": f"'{name}' is no name: give 1 to {LONGEST_NAME} characters"}
            )


def _variants(
    preset: str,
    config: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
    check: Check,
) -> dict[str, RunConfig]:
    """Each variant alone has to be valid: what they change may be what makes the configuration so."""
    return {name: _variant(preset, config, name, over, check) for name, over in variants.items()}


def _variant(
    preset: str, config: Mapping[str, Any], name: str, overrides: Mapping[str, Any], check: Check
) -> RunConfig:
    if "seed" in overrides:
        raise InvalidConfig(
            {
                f"variants.{name}.seed": "seeds stand in `seeds`: every variant runs with each of them"
            }
        )
    try:
        return _checked(preset, {**config, **overrides}, check)
    except InvalidConfig as error:
        shared = _problems(preset, config, check)
        raise InvalidConfig(
            {
                field if field in shared else f"variants.{name}.{field}": problem
                for field, problem in error.fields.items()
            }
        ) from None


def _checked(preset: str, config: Mapping[str, Any], check: Check) -> RunConfig:
    found = parse_leniently(preset, config)
    check(found)
    return found


def _problems(preset: str, config: Mapping[str, Any], check: Check) -> Mapping[str, str]:
    """What is wrong with the configuration before any variant changes it."""
    try:
        _checked(preset, config, check)
    except InvalidConfig as error:
        return error.fields
    return {}


def _check_read(variants: Mapping[str, Mapping[str, Any]], found: Mapping[str, RunConfig]) -> None:
    for name, overrides in variants.items():
        dead = unread(found[name])
        # one key that is read is enough: an ablation's keys serve presets with and without an encoder
        if overrides and all(key in dead for key in overrides):
            key = next(iter(overrides))
            raise InvalidConfig({f"variants.{name}.{key}": never_read(dead[key])})


def _check_different(variants: Mapping[str, RunConfig]) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []
    for name, config in variants.items():
        values = effective(config)
        other = next((other for other, theirs in seen if theirs == values), None)
        seen.append((name, values))
        if other is not None:
            raise InvalidConfig(
                {
                    f"variants.{name}": f"changes nothing that '{other}' does not: both would be the "
                    "same runs, drop one"
                }
            )
