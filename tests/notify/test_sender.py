"""What is queued of the events, sent once whoever sends it, and tried again when it fails."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from backend.database import Database
from backend.notify import queue
from backend.notify.message import Channel, Message, NotSent
from backend.notify.models import Delivery
from backend.notify.queue import Wanted
from backend.notify.sender import Sender
from backend.notify.slack import Slack
from backend.notify.webhook import Webhook
from backend.runs.events import Level, add_event
from tests.notify.conftest import Receiver
from tests.runs.conftest import NOW, new_run
from tests.workers.conftest import until

WANTED = Wanted(("verdict", "halted", "crash", "gate", "ladder"), "http://pitwall.example/")


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """A run whose events are told, and the senders that tell them."""

    database: Database
    run_id: int
    clock: Clock = field(default_factory=Clock)

    def sender(self, *channels: Channel) -> Sender:
        return Sender(self.database, channels, WANTED, interval=0.05, clock=self.clock)

    def happens(
        self, kind: str, message: str = "Something. In detail.", level: str = "warning"
    ) -> None:
        with self.database.write() as session:
            add_event(session, self.run_id, Level(level), kind, message, self.clock.now)

    def deliveries(self) -> list[Delivery]:
        with self.database.read() as session:
            return list(queue.latest_deliveries(session))


@pytest.fixture
def desk(database: Database) -> Desk:
    with database.write() as session:
        return Desk(database, new_run(session).id)


def test_only_what_happens_from_now_on_and_is_wanted_is_told(
    desk: Desk, receiver: Receiver
) -> None:
    desk.happens("halted", "long ago")
    sender = desk.sender(Webhook(receiver.url))
    assert sender.visit() == 0
    desk.happens("verdict", "verdict: go -> no-go. It died.", "critical")
    desk.happens("rule", "not wanted")
    desk.happens("gate", "Gate at 100: passed", "info")
    desk.happens("crash")
    assert sender.visit() == 2
    assert sender.visit() == 0
    first, second = (json.loads(got.body) for got in receiver.received)
    assert (first["kind"], first["level"], first["run_id"]) == ("verdict", "critical", 1)
    assert first["title"] == "quickstart-1: verdict: go -> no-go"
    assert first["text"] == "verdict: go -> no-go. It died."
    assert first["url"] == "http://pitwall.example/runs/1"
    assert second["kind"] == "crash"
    assert {d.state for d in desk.deliveries()} == {"sent"}


def test_an_event_that_commits_late_under_a_lower_number_is_told_too(
    desk: Desk, receiver: Receiver
) -> None:
    sender = desk.sender(Webhook(receiver.url))
    sender.visit()
    for _ in range(2):
        desk.happens("crash")
    sender.visit()
    with desk.database.write() as session:  # as if the first had not been visible before
        session.delete(session.get_one(Delivery, 1))
    desk.happens("rule")
    assert sender.visit() == 1
    assert len(receiver.received) == 3


def test_many_senders_send_each_delivery_once(desk: Desk, receiver: Receiver) -> None:
    senders = [desk.sender(Webhook(receiver.url)) for _ in range(4)]
    senders[0].visit()
    for _ in range(5):
        desk.happens("crash")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda sender: sender.visit(), senders))
    senders[0].visit()
    ids = [got.headers["x-pitwall-delivery"] for got in receiver.received]
    assert sorted(ids) == ["1", "2", "3", "4", "5"]


def test_a_failure_is_tried_again_ever_more_seldom_and_then_given_up(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 503
    sender = desk.sender(Webhook(receiver.url))
    sender.visit()
    desk.happens("halted")
    pauses = []
    for _ in range(queue.MOST_ATTEMPTS):
        assert sender.visit() == 0
        before, desk.clock.now = (
            desk.clock.now,
            max(desk.clock.now, desk.deliveries()[0].not_before),
        )
        pauses.append(desk.clock.now - before)
    (delivery,) = desk.deliveries()
    assert (delivery.state, delivery.attempts) == ("failed", queue.MOST_ATTEMPTS)
    assert "answered 503" in delivery.problem
    assert pauses[:4] == [5, 10, 20, 40]
    assert max(pauses) == queue.LONGEST_PAUSE
    assert len(receiver.received) == queue.MOST_ATTEMPTS


def test_a_failure_that_passes_is_made_up_for(desk: Desk, receiver: Receiver) -> None:
    receiver.status = 500
    sender = desk.sender(Webhook(receiver.url))
    sender.visit()
    desk.happens("halted")
    sender.visit()
    receiver.status = 204
    assert sender.visit() == 0
    desk.clock.now += queue.FIRST_PAUSE
    assert sender.visit() == 1
    assert desk.deliveries()[0].problem == ""


def test_a_channel_that_does_not_answer_is_asked_once_a_visit_and_holds_up_no_other(
    desk: Desk, receiver: Receiver
) -> None:
    sender = desk.sender(Webhook("http://127.0.0.1:9"), Slack(receiver.url))
    sender.visit()
    for _ in range(25):
        desk.happens("crash")
    assert sender.visit() == 20
    assert sender.visit() == 5
    assert sum(d.attempts for d in desk.deliveries() if d.channel == "webhook") <= 2


def test_a_message_that_cannot_be_read_holds_up_no_other(desk: Desk, receiver: Receiver) -> None:
    sender = desk.sender(Webhook(receiver.url))
    sender.visit()
    desk.happens("crash")
    with desk.database.write() as session:
        queue.enqueue(session, "webhook", WANTED, NOW)
        session.get_one(Delivery, 1).message = {"of": "another version"}
    desk.happens("halted")
    sender = desk.sender(Webhook(receiver.url))
    assert sender.visit() + sender.visit() == 1
    assert {(d.id, d.state, d.problem) for d in desk.deliveries()} == {
        (1, "pending", "TypeError"),
        (2, "sent", ""),
    }


def test_a_refusal_for_good_is_not_tried_again(desk: Desk, receiver: Receiver) -> None:
    receiver.status = 410
    sender = desk.sender(Webhook(receiver.url))
    sender.visit()
    desk.happens("halted")
    sender.visit()
    desk.clock.now += 1000
    sender.visit()
    assert len(receiver.received) == 1
    assert desk.deliveries()[0].state == "failed"


@dataclass
class Broken:
    """A channel with a fault of its own."""

    name: str = "broken"
    destination: str = "nowhere"

    def send(self, message: Message, delivery: str, now: float) -> None:
        raise RuntimeError("SECRET")


def test_one_channels_fault_does_not_silence_the_others(desk: Desk, receiver: Receiver) -> None:
    sender = desk.sender(Broken(), Webhook(receiver.url))
    sender.visit()
    desk.happens("halted")
    assert sender.visit() == 1
    problem = next(d.problem for d in desk.deliveries() if d.channel == "broken")
    assert "SECRET" not in problem


def test_a_sender_that_died_while_sending_is_taken_over_from(
    desk: Desk, receiver: Receiver
) -> None:
    with desk.database.write() as session:
        delivery = queue.enqueue_test(session, "webhook", desk.clock.now)
        assert queue.take(session, delivery.id, desk.clock.now) is not None
        assert queue.take(session, delivery.id, desk.clock.now) is None
    sender = desk.sender(Webhook(receiver.url))
    assert sender.visit() == 0
    desk.clock.now += queue.LEASE
    assert sender.visit() == 1


def test_the_thread_sends_by_itself_and_ends(desk: Desk, receiver: Receiver) -> None:
    with desk.sender(Webhook(receiver.url)) as sender:
        until(lambda: _bookmarked(desk), 30)
        desk.happens("halted")
        sender.wake()
        until(lambda: receiver.received, 30)


def _bookmarked(desk: Desk) -> bool:
    with desk.database.read() as session:
        return not queue.has_news(session, "webhook")


def test_a_channel_that_hangs_holds_up_nobody_who_ends(desk: Desk) -> None:
    """NotSent is what a timeout becomes; here the send never returns at all."""
    import threading

    stuck, release = threading.Event(), threading.Event()

    class Hanging(Broken):
        def send(self, message: Message, delivery: str, now: float) -> None:
            stuck.set()
            release.wait(60)
            raise NotSent("late")

    with desk.database.write() as session:
        queue.enqueue_test(session, "broken", desk.clock.now)
    with desk.sender(Hanging()):
        assert stuck.wait(30)
        desk.happens("halted")  # a writer is not blocked
    release.set()
