"""Flushes cut a run anywhere; the verdict must not depend on where."""

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.gates.engine import GateEngine
from backend.rules.moment import Point, Timeline
from tests.rules.scripted import FACTS, Script, explored, healthy_samples

LEAK = {"gradients__actor_head_norm_before_clip": 0.0, "learner__actor_q_mean": 99.0}


def eventful() -> list[Point]:
    """A run that drops, dies, recovers and is evaluated, in the order a trainer logs it."""
    script = explored().episodes([20.0] * 12).episodes([90.0] * 20).episodes([300.0] * 20)
    script.samples(healthy_samples(4) + healthy_samples(6, **LEAK) + healthy_samples(16))
    for step in (1_500, 2_500, 3_500):
        script.log(step, {"evaluation/episode_return": 20.0, "evaluation/return_mean": 20.0})
    return sorted(script.points, key=lambda point: point[1])


EVENTFUL = eventful()


@given(st.lists(st.integers(1, len(EVENTFUL) - 1), max_size=60), st.booleans())
@settings(max_examples=60, deadline=None)
def test_any_cut_into_flushes_gives_the_same_flips(cuts: list[int], strictly: bool) -> None:
    whole = GateEngine(FACTS)
    whole.observe(EVENTFUL)
    expected = whole.evaluate(0, final=True)
    engine = GateEngine(FACTS)
    edges = [0, *sorted(set(cuts)), len(EVENTFUL)]
    flips = []
    for start, end in pairwise(edges):
        engine.observe(EVENTFUL[start:end])
        flips.extend(engine.evaluate(EVENTFUL[end - 1][1] if strictly else 0).flips)
    final = engine.evaluate(0, final=True)
    assert (*flips, *final.flips) == expected.flips
    assert final.rules == expected.rules
    assert final.sentence == expected.sentence


def test_the_eventful_run_is_eventful() -> None:
    engine = GateEngine(FACTS)
    engine.observe(EVENTFUL)
    verdicts = [f.after for f in engine.evaluate(0, final=True).flips if f.rule == "verdict"]
    assert {"conditional-go", "no-go"} <= set(verdicts)
    assert len(verdicts) >= 4


def test_a_step_waits_until_a_later_one_has_begun() -> None:
    timeline = Timeline()
    timeline.add([("a", 5, 0, 0.0, 1.0)])
    assert list(timeline.take(before=5)) == []
    timeline.add([("b", 5, 0, 0.0, 2.0), ("a", 6, 0, 0.0, 3.0)])
    assert [(m.step, dict(m.sample)) for m in timeline.take(before=0)] == [(5, {"a": 1, "b": 2})]
    assert [m.step for m in timeline.take()] == [6]


def test_an_episode_without_its_length_begins_where_the_last_one_ended() -> None:
    timeline = Timeline()
    timeline.add([("episode/return", step, index, 0.0, 1.0) for index, step in enumerate((30, 70))])
    episodes = [episode for moment in timeline.take() for episode in moment.episodes]
    assert [(episode.start, episode.end) for episode in episodes] == [(0, 30), (30, 70)]


def test_an_evaluation_without_a_mean_has_that_of_its_episodes() -> None:
    timeline = Timeline()
    script = Script()
    for value in (1.0, 3.0):
        script.log(10, {"evaluation/episode_return": value})
    timeline.add(script.points)
    evaluation = next(timeline.take()).evaluation
    assert evaluation is not None
    assert evaluation.mean == 2
    assert evaluation.returns == (1, 3)


def test_a_length_that_is_no_number_is_none() -> None:
    timeline = Timeline()
    timeline.add(Script().episodes([1.0], length=30).points)
    timeline.add([("episode/length", 70, 1, 0.0, math.nan), ("episode/return", 70, 1, 0.0, 1.0)])
    episodes = [episode for moment in timeline.take() for episode in moment.episodes]
    assert [(episode.start, episode.end) for episode in episodes] == [(0, 30), (30, 70)]
