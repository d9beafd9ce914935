"""E-mail over SMTP."""

import smtplib
import ssl
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from backend.notify.message import Message, NotSent

TIMEOUT = 15.0


@dataclass(frozen=True)
class Email:
    """Sends from `sender` to `recipients` through one server. `security` is starttls, tls or none."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str
    recipients: tuple[str, ...]
    name: str = "email"

    @property
    def destination(self) -> str:
        return f"{', '.join(self.recipients)} through {self.host}:{self.port} ({self.security})"

    def send(self, message: Message, delivery: str, now: float) -> None:
        try:
            with self._connected() as server:
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(self._letter(message, delivery, now))
        except smtplib.SMTPResponseException as error:
            # 5xx is a refusal for good; 4xx asks to come again.
            raise NotSent(self._told(error.smtp_code), error.smtp_code >= 500) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            raise NotSent(self._told(*codes), min(codes, default=0) >= 500) from None
        except (smtplib.SMTPException, OSError, MessageError, ValueError) as error:
            raise NotSent(f"{self.host}:{self.port}: {type(error).__name__}: {error}") from None

    def _told(self, *codes: int) -> str:
        return f"{self.host}:{self.port} answered {', '.join(str(code) for code in codes)}"

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
        if self.security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except Exception:
                server.close()
                raise
        return server

    def _letter(self, message: Message, delivery: str, now: float) -> EmailMessage:
        letter = EmailMessage()
        # A name with a line break must not become a header of its own.
        letter["Subject"] = " ".join(f"[Pitwall] {message.title}".split())
        letter["From"] = self.sender
        letter["To"] = ", ".join(self.recipients)
        letter["Date"] = formatdate(now)
        letter["Message-ID"] = make_msgid(delivery, "pitwall.invalid")
        letter["Auto-Submitted"] = "auto-generated"
        step = f"\n\nStep {message.step:,}" if message.step is not None else ""
        letter.set_content(f"{message.text}{step}\n\n{message.url}".rstrip() + "\n")
        return letter
