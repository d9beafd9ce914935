"""Each channel against a real server: what arrives, how it is signed, and what a failure tells."""

import json
import logging
import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from backend.errors import InvalidConfig
from backend.notify.channels import channels_of, kinds_of
from backend.notify.email import Email
from backend.notify.message import Message, NotSent
from backend.notify.slack import Slack
from backend.notify.webhook import Webhook, signature
from backend.settings import Settings
from tests.notify.conftest import Receiver

NEWS = Message(
    kind="verdict",
    level="critical",
    title="td3 <7>: verdict: go -> no-go",
    text="verdict: go -> no-go. The policy & its head are dead.",
    run_id=7,
    run="td3 <7>",
    step=1300,
    url="http://pitwall.example/runs/7",
    at=1_000_000.0,
)


def test_a_webhook_gets_the_message_as_json_signed_over_its_time(receiver: Receiver) -> None:
    Webhook(f"{receiver.url}/hook", "key").send(NEWS, "42", 1_700_000_000.7)
    (got,) = receiver.received
    assert json.loads(got.body) == NEWS.document()
    assert got.headers["x-pitwall-delivery"] == "42"
    assert got.headers["x-pitwall-timestamp"] == "1700000000"
    assert got.headers["x-pitwall-signature"] == signature("key", "1700000000", got.body)
    assert got.headers["x-pitwall-signature"] != signature("key", "1700000001", got.body)
    assert got.headers["x-pitwall-signature"] != signature("other", "1700000000", got.body)


def test_the_signature_is_the_one_the_docs_describe() -> None:
    # printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    assert signature("key", "1700000000", b"{}") == (
        "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    )


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    Webhook(receiver.url).send(NEWS, "1", 0.0)
    assert "x-pitwall-signature" not in receiver.received[0].headers


def test_slack_gets_a_text_with_its_markup_escaped(receiver: Receiver) -> None:
    Slack(receiver.url).send(NEWS, "1", 0.0)
    text = json.loads(receiver.received[0].body)["text"]
    assert "<http://pitwall.example/runs/7|td3 &lt;7&gt;: verdict: go -&gt; no-go>" in text
    assert "The policy &amp; its head are dead." in text


@pytest.mark.parametrize(
    ("status", "final"), [(404, True), (410, True), (429, False), (500, False), (302, False)]
)
def test_a_refusal_says_the_status_and_whether_to_try_again(
    receiver: Receiver, status: int, final: bool
) -> None:
    receiver.status = status
    with pytest.raises(NotSent, match=f"answered {status}") as refused:
        Slack(f"{receiver.url}/services/T0/SECRET").send(NEWS, "1", 0.0)
    assert refused.value.final is final
    assert len(receiver.received) == 1, "a redirect is not followed"
    assert "SECRET" not in str(refused.value)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}/SECRET", "gopher:SECRET", "http://[SECRET"]
)
def test_an_address_nobody_answers_at_is_told_without_its_secret_and_never_logged(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NotSent) as refused:
        Webhook(url.format(port=closed_port()), "KEY").send(NEWS, "1", 0.0)
    assert not refused.value.final
    assert "SECRET" not in str(refused.value)


def test_a_sent_address_is_not_written_to_the_log(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Slack(f"{receiver.url}/services/SECRET").send(NEWS, "1", 0.0)
    assert "SECRET" not in caplog.text


class Mailbox:
    """Takes every mail but those to `nobody`, and one password."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


def authenticate(_s: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data.password == b"right", handled=False)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=closed_port(),
        authenticator=authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield box, controller.port
    controller.stop()


def email(port: int, **values: Any) -> Email:
    known = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "user": "ada",
        "password": "right",
        "sender": "pitwall@lab.example",
        "recipients": ("ada@lab.example", "bob@lab.example"),
    }
    return Email(**{**known, **values})


def test_a_mail_arrives_with_subject_link_and_step(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    email(port).send(NEWS, "42", 1_700_000_000.0)
    (mail,) = box.mails
    assert mail["Subject"] == "[Pitwall] td3 <7>: verdict: go -> no-go"
    assert mail["To"] == "ada@lab.example, bob@lab.example"
    assert "42" in mail["Message-ID"]
    text = mail.get_content()
    assert "The policy & its head are dead." in text
    assert "Step 1,300" in text
    assert "http://pitwall.example/runs/7" in text


def test_a_name_with_a_line_break_adds_no_header(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox
    news = Message("verdict", "info", "run\r\nBcc: eve@evil.example", "text")
    email(port, user="").send(news, "1", 0.0)
    assert box.mails[0]["Bcc"] is None
    assert box.mails[0]["Subject"] == "[Pitwall] run Bcc: eve@evil.example"


@pytest.mark.parametrize(
    ("values", "words", "final"),
    [
        ({"password": "SECRET"}, "answered 535", True),
        ({"recipients": ("nobody@lab.example",)}, "answered 550", True),
        ({"security": "starttls"}, "SMTPNotSupportedError", False),
        ({"security": "tls"}, "SSLError", False),
    ],
)
def test_a_mail_that_is_refused_says_why_without_the_password(
    mailbox: tuple[Mailbox, int], values: dict[str, Any], words: str, final: bool
) -> None:
    with pytest.raises(NotSent) as refused:
        email(mailbox[1], **values).send(NEWS, "1", 0.0)
    assert words in str(refused.value)
    assert refused.value.final is final
    assert "SECRET" not in str(refused.value)


def test_no_mail_server_is_a_failure_to_try_again() -> None:
    with pytest.raises(NotSent, match="ConnectionRefusedError"):
        email(closed_port()).send(NEWS, "1", 0.0)


def test_settings_name_the_channels_and_their_destinations_hold_no_secret() -> None:
    settings = Settings(
        webhook_url="https://hooks.example/SECRET",
        webhook_secret="SECRET",
        slack_url="https://user:SECRET@chat.example:8443/services/SECRET",
        smtp_host="mail.example",
        smtp_user="ada",
        smtp_password="SECRET",
        mail_to="ada@lab.example, bob@lab.example",
    )
    channels = channels_of(settings)
    assert [channel.name for channel in channels] == ["webhook", "slack", "email"]
    shown = " ".join(channel.destination for channel in channels)
    assert "SECRET" not in shown
    assert "https://hooks.example, signed" in shown
    assert "https://chat.example:8443" in shown
    assert channels_of(Settings()) == []


def test_wrong_settings_are_refused_with_the_choice() -> None:
    with pytest.raises(InvalidConfig, match="PITWALL_MAIL_TO"):
        channels_of(Settings(smtp_host="mail.example"))
    with pytest.raises(InvalidConfig, match="'flip' is not known: choose from verdict"):
        kinds_of(Settings(notify_on="verdict, flip"))


def test_a_child_process_gets_the_secrets_themselves() -> None:
    environment = Settings(slack_url="https://chat.example/S", token="T").as_environment()
    assert environment["PITWALL_SLACK_URL"] == "https://chat.example/S"
    assert environment["PITWALL_TOKEN"] == "T"
    assert Settings(**{"smtp_password": "p"}).as_environment()["PITWALL_SMTP_PASSWORD"] == "p"
