"""The channels that the settings name, and the news people want on them."""

from backend.errors import InvalidConfig
from backend.notify.email import Email
from backend.notify.message import Channel
from backend.notify.slack import Slack
from backend.notify.webhook import Webhook
from backend.settings import Settings

KINDS = {
    "verdict": "the verdict of a run flips",
    "halted": "a run is halted, by a rule, a gate or a person",
    "failed": "a run fails",
    "finished": "a run finishes",
    "crash": "an attempt at a run dies",
    "gate": "a gate halts a run or leaves the decision to a person",
    "ladder": "a ladder waits for a person, stops or has passed",
}


def channels_of(settings: Settings) -> list[Channel]:
    """Every channel that is set up, in the order the page shows them."""
    found: list[Channel] = []
    if url := settings.webhook_url.get_secret_value():
        found.append(Webhook(url, settings.webhook_secret.get_secret_value()))
    if url := settings.slack_url.get_secret_value():
        found.append(Slack(url))
    if settings.smtp_host:
        found.append(_email(settings))
    return found


def _email(settings: Settings) -> Email:
    recipients = tuple(part.strip() for part in settings.mail_to.split(",") if part.strip())
    if not recipients:
        raise InvalidConfig(
            {"PITWALL_MAIL_TO": "is empty: name who gets the mail, or unset PITWALL_SMTP_HOST"}
        )
    return Email(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        sender=settings.mail_from or recipients[0],
        recipients=recipients,
    )


def kinds_of(settings: Settings) -> tuple[str, ...]:
    """The kinds of event people are told of.

    Raises:
        InvalidConfig: with the kinds there are.
    """
    kinds = tuple(part.strip() for part in settings.notify_on.split(",") if part.strip())
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise InvalidConfig(
            {"PITWALL_NOTIFY_ON": f"'{unknown[0]}' is not known: choose from {', '.join(KINDS)}"}
        )
    return kinds
