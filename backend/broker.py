"""The Celery application and the names of its tasks; who runs them is the worker's affair."""

from collections.abc import Callable

from celery import Celery
from kombu.exceptions import OperationalError

from backend.settings import Settings

TRAIN = "pitwall.train"
EVALUATE = "pitwall.evaluate"
QUEUE = "pitwall"
# A hint that nobody fetched in this time is sent again while its run stays queued.
HINT_LIFETIME = 60.0


def broker_url(settings: Settings) -> str:
    """The broker the settings name, or the embedded one's socket in the data folder."""
    return (
        settings.broker_url
        or f"redis+socket://{settings.data.resolve()}/broker.sock?virtual_host=0"
    )


def make_celery(settings: Settings) -> Celery:
    """A Celery application for a worker: JSON only, and never more runs reserved than slots."""
    celery = Celery("pitwall", broker=broker_url(settings), set_as_current=False)
    celery.conf.update(
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_ignore_result=True,
        task_default_queue=QUEUE,
        # Acknowledged before it runs: the claim, not the message, decides who trains.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        # Without it a busy worker reserves the next run while another stands idle.
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    return celery


def hint_sender(settings: Settings, task: str = TRAIN) -> Callable[[int], None]:
    """A function that tells the workers about a run, or what else `task` is about, by its number.

    It raises OSError within seconds when it cannot.
    """
    celery = make_celery(settings)
    # Only for publishing: a consumer's blocking read must be allowed to wait.
    celery.conf.broker_transport_options = {"socket_timeout": 2, "socket_connect_timeout": 2}

    def send(number: int) -> None:
        try:
            celery.send_task(task, args=[number], queue=QUEUE, expires=HINT_LIFETIME, retry=False)
        except OperationalError as error:
            raise OSError(str(error)) from error

    return send
