"""Runs sorted into groups that differ in one thing, so that seeds of one kind stand together; pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

EVERYTHING_BUT_THE_SEED = "config"
SEED = "seed"
LONGEST_NAME = 80


def group_configs(
    configs: Mapping[int, Mapping[str, Any]],
    by: str = EVERYTHING_BUT_THE_SEED,
    implied: Collection[str] = (),
) -> dict[str, list[int]]:
    """{name: runs}, in the order given, of runs {number: configuration}.

    `by` is a configuration key, or `config`: runs equal in everything but the seed form a group, named
    by the values that tell it from the others. `implied` keys go without saying where the algorithm
    differs: DDPG is TD3 with some of its values changed.

    Raises:
        KeyError: no run has the key.
    """
    if by != EVERYTHING_BUT_THE_SEED:
        if not any(by in config for config in configs.values()):
            raise KeyError(by)
        keys = [by]
    else:
        keys = _differing(list(configs.values()), implied)
    groups: dict[str, list[int]] = {}
    for number, config in configs.items():
        groups.setdefault(_name(config, keys), []).append(number)
    return groups


def _differing(configs: Sequence[Mapping[str, Any]], implied: Collection[str]) -> list[str]:
    """Keys without one value for all, the seed apart."""
    keys = dict.fromkeys(key for config in configs for key in config if key != SEED)
    found = [key for key in keys if len({repr(config.get(key)) for config in configs}) > 1]
    return [key for key in found if "algorithm" not in found or key not in implied]


def _name(config: Mapping[str, Any], keys: Sequence[str]) -> str:
    parts = [f"{key}={config.get(key, 'absent')}" for key in keys if key != "algorithm"]
    if "algorithm" in keys or not keys:
        parts.insert(0, str(config.get("algorithm", "all runs")).upper())
    name = ", ".join(parts)
    cut = name[: LONGEST_NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return name if len(name) <= LONGEST_NAME else cut
