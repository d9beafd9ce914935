"""Deliveries as rows: made of events once a channel, tried again with back-off, taken by one sender each."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.notify.message import Message
from backend.notify.models import Bookmark, Delivery
from backend.runs.events import Level
from backend.runs.models import Event, Run

PENDING, SENT, FAILED = "pending", "sent", "failed"
MOST_ATTEMPTS = 20
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0
# Longer than any send takes; then another sender may take the delivery over.
LEASE = 120.0
# On PostgreSQL a lower id may be committed after a higher one was read.
LOOK_BACK = 500


@dataclass(frozen=True)
class Wanted:
    """What to tell: kinds of event, and the dashboard's address for links."""

    kinds: Sequence[str]
    public_url: str = ""


def has_news(session: Session, channel: str) -> bool:
    """Whether events came since the channel's bookmark, or it has none yet."""
    newest = session.scalar(select(func.max(Event.id))) or 0
    mark = session.get(Bookmark, channel)
    return mark is None or newest > mark.event_id


def enqueue(session: Session, channel: str, wanted: Wanted, now: float) -> int:
    """Make deliveries of the events the channel has not been offered yet; how many.

    A channel that is new begins with what happens from now on.
    """
    newest = session.scalar(select(func.max(Event.id))) or 0
    mark = session.get(Bookmark, channel, with_for_update=True)
    if mark is None:
        _begin(session, channel, newest)
        return 0
    after = max(mark.first, mark.event_id - LOOK_BACK)
    offered = select(Delivery.event_id).where(
        Delivery.channel == channel, Delivery.event_id > after
    )
    fresh = select(Event).where(
        Event.id > after, Event.kind.in_(wanted.kinds), Event.id.not_in(offered)
    )
    made = 0
    for event in session.scalars(fresh.order_by(Event.id)).all():
        if event.kind == "gate" and event.level == Level.INFO:
            continue  # a gate that passes asks nothing of anybody
        message = message_of(session, event, wanted.public_url)
        session.add(_delivery(channel, message, now, event.id))
        made += 1
    mark.event_id = max(mark.event_id, newest)
    return made


def _begin(session: Session, channel: str, newest: int) -> None:
    try:
        with session.begin_nested():
            session.add(Bookmark(channel=channel, first=newest, event_id=newest))
    except IntegrityError:
        return  # another process began a moment before


def message_of(session: Session, event: Event, public_url: str) -> Message:
    """The event as people are told of it."""
    run = session.get(Run, event.run_id)
    name = run.name if run else f"run {event.run_id}"
    first = event.message.partition(". ")[0]
    title = first if len(first) <= 100 else f"{first[:99]}\N{HORIZONTAL ELLIPSIS}"
    return Message(
        kind=event.kind,
        level=event.level,
        title=title if event.kind == "ladder" else f"{name}: {title}",  # a ladder names itself
        text=event.message,
        run_id=event.run_id,
        run=name,
        step=event.step,
        url=f"{public_url.rstrip('/')}/runs/{event.run_id}" if public_url else "",
        at=event.at,
    )


def enqueue_test(session: Session, channel: str, now: float) -> Delivery:
    """A message that says that messages arrive."""
    text = "This is a test. Verdict flips, halts, crashes and waiting ladders will arrive like it."
    message = Message(kind="test", level="info", title="Pitwall's test message", text=text, at=now)
    delivery = _delivery(channel, message, now)
    session.add(delivery)
    session.flush()
    return delivery


def _delivery(channel: str, message: Message, now: float, event_id: int | None = None) -> Delivery:
    return Delivery(
        channel=channel,
        event_id=event_id,
        message=message.document(),
        state=PENDING,
        created_at=now,
    )


def due(session: Session, channel: str, now: float, most: int = 20) -> list[int]:
    """Deliveries of a channel to try now, the longest waiting first."""
    query = select(Delivery.id).where(
        Delivery.state == PENDING, Delivery.channel == channel, Delivery.not_before <= now
    )
    return list(session.scalars(query.order_by(Delivery.not_before, Delivery.id).limit(most)))


def take(session: Session, delivery_id: int, now: float) -> Delivery | None:
    """The delivery, if nobody else is sending it: a compare-and-swap with a lease."""
    taken = session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.state == PENDING, Delivery.not_before <= now)
        .values(not_before=now + LEASE, attempts=Delivery.attempts + 1)
        .returning(Delivery.id)
    )
    if taken.first() is None:
        return None
    return session.get(Delivery, delivery_id, populate_existing=True)


def note_sent(session: Session, delivery_id: int, now: float) -> None:
    session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id)
        .values(state=SENT, sent_at=now, problem="")
    )


def note_failure(session: Session, delivery_id: int, problem: str, final: bool, now: float) -> None:
    """Try again later, ever more seldom; give up where it is vain."""
    delivery = session.get(Delivery, delivery_id, populate_existing=True)
    if delivery is None or delivery.state != PENDING:
        return
    delivery.problem = problem[:500]
    if final or delivery.attempts >= MOST_ATTEMPTS:
        delivery.state = FAILED
    else:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (delivery.attempts - 1))
        delivery.not_before = now + pause


def latest_deliveries(session: Session, limit: int = 20) -> Sequence[Delivery]:
    """Newest first."""
    query = select(Delivery).order_by(Delivery.id.desc()).limit(limit)
    return session.scalars(query.execution_options(populate_existing=True)).all()
