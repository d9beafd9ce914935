"""Rules on episodes: how they end, what their reward is made of, whether the car moves at all."""

from collections import deque
from collections.abc import Mapping

from backend.rules.moment import Episode, Moment
from backend.rules.rule import Context, Rule, RuleState, number

# Order of `backend.metrics.catalog.TERMINATIONS`; rules are pure and know the codes by themselves.
REASONS = ("goal", "off_route", "collision", "timeout", "other")
COMPONENTS = ("efficiency", "lane_keeping", "comfort", "safety", "progress")


class OneTermination(Rule):
    """Every learning episode fails in the same way, more than exploration did, and gets no further."""

    name = "one_termination"
    title = "One termination reason"
    worst = RuleState.WARNING

    def __init__(
        self, context: Context, *, episodes: int = 20, reference_share: float = 0.9
    ) -> None:
        super().__init__(context)
        self.episodes, self.reference_share = episodes, reference_share
        self._recent: deque[tuple[str, float]] = deque(maxlen=episodes)
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        for episode in self.returns.new:
            told = _ending(episode)
            if told is not None:
                self._recent.append(told)
        if not self.returns.new or len(self._recent) < self.episodes:
            return self._raw
        share = self._explored_share(self._recent[-1][0])
        if share is None:
            return self._raw
        self._raw = RuleState.WARNING if self._stuck(share) else RuleState.OK
        return self._raw

    def _stuck(self, explored_share: float) -> bool:
        reason, routes = self._recent[-1][0], [route for _, route in self._recent]
        same = sum(ending == reason for ending, _ in self._recent)
        half = len(routes) // 2
        earlier, later = sum(routes[:half]) / half, sum(routes[half:]) / (len(routes) - half)
        self.value, self.threshold = same / len(self._recent), 1.0
        self.evidence = {
            "reason": reason,
            "reference_share": explored_share,
            "route_percent_earlier": earlier,
            "route_percent_later": later,
        }
        return (
            reason != "goal"
            and same == len(self._recent)
            and explored_share < self.reference_share
            and later <= earlier
            and not self.returns.improved
        )

    def _explored_share(self, reason: str) -> float | None:
        endings = [told[0] for episode in self.returns.explored if (told := _ending(episode))]
        return endings.count(reason) / len(endings) if endings else None

    def reason(self) -> str:
        ending, share = self.evidence["reason"], self.evidence["reference_share"]
        text = (
            f"{100 * (self.value or 0):.0f} % of the last {self.episodes} learning episodes end by "
            f"{ending}, {100 * share:.0f} % in exploration"
        )
        if share >= self.reference_share:
            return f"{text}: cannot fire here for {ending}."
        return f"{text}; mean route {self.evidence['route_percent_earlier']:.1f} -> {self.evidence['route_percent_later']:.1f} %."

    def missing(self) -> str:
        return (
            f"termination and route of {self.episodes} learning episodes ({len(self._recent)} so far) "
            "and of exploration"
        )


def _ending(episode: Episode) -> tuple[str, float] | None:
    """(reason, route percent), where both were logged."""
    code, route = episode.values.get("termination"), episode.values.get("route_percent")
    if code is None or route is None or not 0 <= code < len(REASONS):
        return None
    return REASONS[int(code)], route


class Checksum(Rule):
    """The reward's components do not add up to the reward the learner was given."""

    name = "component_checksum"
    title = "Reward checksum"
    worst = RuleState.WARNING

    def __init__(self, context: Context, *, tolerance: float = 1e-6) -> None:
        super().__init__(context)
        self.tolerance = tolerance
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        for episode in moment.episodes:
            error = episode.values.get("checksum_error")
            if error is not None:
                self.value = error
                # Sums of a long episode in another order differ in the last digits.
                self.threshold = self.tolerance * max(1.0, abs(episode.values.get("return", 0.0)))
                self.evidence = {"episode": episode.number, "error": error}
                # What is no number agrees with nothing.
                self._raw = RuleState.OK if error <= self.threshold else RuleState.WARNING
        return self._raw

    def reason(self) -> str:
        return (
            f"The components of episode {self.evidence['episode']} miss its return by "
            f"{number(self.value)}."
        )

    def missing(self) -> str:
        return "the log holds sampled components, no checksum"


class Dominance(Rule):
    """One component is most of the reward, episode after episode."""

    name = "component_dominance"
    title = "Dominant reward component"
    worst = RuleState.WARNING

    def __init__(self, context: Context, *, share: float = 0.7, episodes: int = 10) -> None:
        super().__init__(context)
        self.threshold = share
        self.share, self.episodes = share, episodes
        self._component = ""
        self._held = 0
        self._logged = 0
        self._raw = RuleState.NO_DATA

    def judge(self, moment: Moment) -> RuleState:
        for episode in moment.episodes:
            shares = component_shares(episode.values)
            if shares:
                self._count(shares)
        return self._raw

    def _count(self, shares: Mapping[str, float]) -> None:
        component = max(shares, key=lambda name: shares[name])
        self.value = shares[component]
        again = self.value > self.share and component == self._component
        self._held = self._held + 1 if again else int(self.value > self.share)
        self._component = component
        self._logged += 1
        self.evidence = {"component": component, "episodes": self._held}
        if self._logged >= self.episodes:
            self._raw = RuleState.WARNING if self._held >= self.episodes else RuleState.OK

    def reason(self) -> str:
        told = f"{self._component} is {100 * (self.value or 0):.0f} % of the absolute reward"
        if not self._held:
            return f"{told}; not above {100 * self.share:.0f} %."
        return f"{told}, above {100 * self.share:.0f} % for {self._held} logged episodes in a row."

    def missing(self) -> str:
        return f"components of {self.episodes} logged episodes ({self._logged} so far)"


def component_shares(values: Mapping[str, float]) -> dict[str, float]:
    """Share of each component in the absolute reward, in [0, 1]; empty where none was logged."""
    logged = {
        name: values[f"{name}_percent"] / 100 for name in COMPONENTS if f"{name}_percent" in values
    }
    if logged:
        return logged
    parts = {name: abs(values[name]) for name in COMPONENTS if name in values}
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()} if total > 0 else {}


class ZeroSpeed(Rule):
    """The car stands still for half an episode, in three learning episodes in a row."""

    name = "zero_speed"
    title = "Standing still"

    def __init__(self, context: Context, *, ticks: int = 500, episodes: int = 3) -> None:
        super().__init__(context)
        self.ticks, self.episodes = ticks, episodes
        self.threshold = float(ticks)
        self._held = 0
        self._raw = RuleState.NO_DATA

    def obstacle(self) -> str | None:
        limit = self.facts.max_episode_ticks
        if limit is not None and limit < self.ticks:
            return f"episodes end after {limit} ticks, before {self.ticks} without moving"
        return None

    def judge(self, moment: Moment) -> RuleState:
        for episode in self.returns.new:
            ticks = episode.values.get("zero_speed_ticks")
            if ticks is not None:
                self.value = ticks
                self._held = self._held + 1 if ticks >= self.ticks else 0
                self._raw = RuleState.OK
        self.evidence = {"episodes": self._held}
        if self._held >= self.episodes:
            self._raw = RuleState.OK if self.returns.improved else RuleState.CRITICAL
        return self._raw

    def reason(self) -> str:
        return (
            f"Longest standstill {number(self.value)} ticks; "
            f"{self._held} learning episodes in a row stood for {self.ticks} ticks or more."
        )

    def missing(self) -> str:
        return "no learning episode with its standstill logged"
