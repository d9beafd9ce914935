"""What the new-run form sends: a preset, values, and the seeds and variants of a matrix, as text."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from backend.errors import InvalidConfig
from backend.runs.ablations import ABLATIONS, changes
from backend.runs.matrix import BASELINE, MOST_RUNS

SPAN = re.compile(r"^(\d{1,10})(?:-(\d{1,10}))?$")


@dataclass(frozen=True)
class Submission:
    """The form as it was sent; `values` are the configuration's inputs."""

    preset: str
    name: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    seeds: str = ""
    ablations: Sequence[str] = ()
    variants: str = ""

    @classmethod
    def of(cls, items: Sequence[tuple[str, str]]) -> "Submission":
        """The last value of each input: an unticked box leaves only the hidden `off` before it."""
        values = dict(items)
        return cls(
            preset=values.pop("preset", "quickstart"),
            name=values.pop("name", ""),
            seeds=values.pop("seeds", "").strip(),
            variants=values.pop("variants", "").strip(),
            ablations=[value for name, value in items if name == "ablations"],
            values={name: value for name, value in values.items() if name != "ablations"},
        )

    @property
    def is_matrix(self) -> bool:
        return bool(self.seeds or self.ablations or self.variants)

    @property
    def seed_numbers(self) -> list[int]:
        """`0-4, 7` as the numbers it names.

        Raises:
            InvalidConfig
        """
        found: list[int] = []
        for part in filter(None, re.split(r"[,\s]+", self.seeds)):
            match = SPAN.match(part)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
            if first > last or last - first >= MOST_RUNS:
                raise InvalidConfig(
                    {
                        "seeds": f"'{part}' is no seed: write numbers and spans of up to {MOST_RUNS}, as in 0-4, 7"
                    }
                )
            found += range(first, last + 1)
        return found

    @property
    def all_variants(self) -> dict[str, dict[str, Any]] | None:
        """The configuration as it is, the ticked ablations, then those written by hand; None without.

        Raises:
            InvalidConfig
        """
        if not (self.ablations or self.variants):
            return None
        found: dict[str, dict[str, Any]] = {BASELINE: {}}
        for name in self.ablations:
            if name not in ABLATIONS:
                raise InvalidConfig(
                    {"ablations": f"'{name}' is not known: choose from {', '.join(ABLATIONS)}"}
                )
            found[name] = dict(ABLATIONS[name].overrides)
        for line in filter(None, map(str.strip, self.variants.splitlines())):
            name, settings = _variant(line)
            if name in found:
                raise InvalidConfig({"variants": f"'{name}' stands there twice: rename one"})
            found[name] = settings
        return found


def _variant(line: str) -> tuple[str, dict[str, Any]]:
    """`short: gamma=0.9 hidden_sizes=[64,64]` as its name and values."""
    name, colon, rest = line.partition(":")
    pairs = [part.partition("=") for part in rest.split()]
    if not colon or not pairs or not all(key and separator for key, separator, _ in pairs):
        raise InvalidConfig(
            {"variants": f"'{line}' is no variant: write NAME: key=value key=value, one a line"}
        )
    return name.strip(), {key: _value(text) for key, _, text in pairs}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass(frozen=True)
class Choice:
    """A known ablation as the form offers it."""

    name: str
    title: str
    summary: str
    ticked: bool
    possible: bool


def choices(config: Mapping[str, Any], ticked: Sequence[str]) -> list[Choice]:
    """Every known ablation; what takes nothing away of this configuration is not `possible`."""
    return [
        Choice(name, one.title, one.summary, name in ticked, name in ticked or changes(one, config))
        for name, one in ABLATIONS.items()
    ]


def readable(problems: Mapping[str, str]) -> dict[str, str]:
    """Problems by input: those of a variant say whose they are."""
    return {
        key: f"{key.split('.')[1]}: {text}" if key.startswith("variants.") else text
        for key, text in problems.items()
    }
