"""The rule on the other rules: when alerts come again and again, the run is given up."""

from collections import deque
from collections.abc import Sequence

from backend.rules.moment import Moment
from backend.rules.rule import Context, Rule, RuleAction, RuleState


class RepeatedAlerts(Rule):
    """Three critical alerts within 50K steps abort the run, whichever of its rules raised them.

    An alert is one turn of one rule to critical. Critical only while one of them stands: a run that got
    over its alerts is not condemned by their number, and the next alert is heard again.
    """

    name = "repeated_alerts"
    title = "Repeated critical alerts"
    action = RuleAction.HALT

    def __init__(
        self, context: Context, watched: Sequence[Rule], *, alerts: int = 3, steps: int = 50_000
    ) -> None:
        super().__init__(context)
        self.watched, self.alerts, self.steps = watched, alerts, steps
        self.threshold = float(alerts)
        self._critical: set[str] = set()
        self._raised: deque[tuple[int, str]] = deque()

    def judge(self, moment: Moment) -> RuleState:
        critical = {rule.name for rule in self.watched if rule.state is RuleState.CRITICAL}
        self._raised.extend((moment.step, name) for name in sorted(critical - self._critical))
        self._critical = critical
        while self._raised and self._raised[0][0] <= moment.step - self.steps:
            self._raised.popleft()
        self.value = float(len(self._raised))
        self.evidence = {
            "steps": [step for step, _ in self._raised],
            "rules": [name for _, name in self._raised],
        }
        many = len(self._raised) >= self.alerts
        return RuleState.CRITICAL if many and critical else RuleState.OK

    def reason(self) -> str:
        told = ", ".join(f"{name} at {step:,}" for step, name in self._raised) or "none, never near"
        return f"Critical alerts in the last {self.steps:,} steps: {len(self._raised)} ({told})."

    def missing(self) -> str:
        return "nothing judged yet"
