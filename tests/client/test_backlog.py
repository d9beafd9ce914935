"""What waits for the server: in order, under fixed numbers, within its bound; and what becomes a point."""

import numpy as np
import torch

from backend.client.backlog import MOST_POINTS, Backlog
from backend.client.intake import Intake, Point


def points(start: int, count: int) -> list[Point]:
    return [("my/loss", step, 0, 0.0, 1.0) for step in range(start, start + count)]


def test_a_flush_keeps_its_content_while_more_arrives() -> None:
    backlog = Backlog()
    backlog.add(points(0, 10))
    first = backlog.head()
    backlog.add(points(10, 10))
    assert backlog.head() is first
    assert first is not None
    assert len(first.points) == 10
    backlog.discard()
    second = backlog.head()
    assert second is not None
    assert (second.number, second.points[0][1]) == (2, 10)


def test_an_outage_is_made_up_for_in_few_flushes() -> None:
    backlog = Backlog()
    for second in range(3 * MOST_POINTS // 100):
        backlog.add(points(100 * second, 100))
        backlog.head()
    sent = 0
    while backlog.head() is not None:
        backlog.discard()
        sent += 1
    assert sent <= 4


def test_what_does_not_fit_is_counted_and_what_waits_stays() -> None:
    backlog = Backlog(limit=1000)
    backlog.add(points(0, 10))
    assert backlog.head() is not None
    backlog.add(points(10, 2 * MOST_POINTS))
    assert (backlog.lost, backlog.waiting) == (2 * MOST_POINTS, 10)


def test_an_array_or_tensor_of_one_number_is_that_number() -> None:
    learnt = torch.tensor([4.0], requires_grad=True)
    intake = Intake()
    rows = [(1, 0, 0.0, {"a": np.array([3.0]), "b": learnt, "c": np.zeros(2), "d": torch.zeros(2)})]
    assert [(point[0], point[4]) for point in intake.points(rows)] == [("a", 3.0), ("b", 4.0)]
    assert intake.lost == 2


def test_of_two_names_for_one_metric_the_first_keeps_it() -> None:
    rows = [(1, 0, 0.0, {"train/q1_value": 1.0, "debug/q1_mean": 2.0})]
    named = [point[0] for point in Intake().points(rows)]
    assert named == ["learner/q1_mean", "debug/q1_mean"]
