"""Process settings, read once at an entry point from the environment and passed in from there."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.errors import InvalidConfig
from backend.refusals import in_words

PREFIX = "PITWALL_"


class Settings(BaseSettings):
    """Every setting can be given as an environment variable with the prefix `PITWALL_`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    data: Path = Field(
        Path(".pitwall"), description="Folder of database, checkpoints, logs and sockets"
    )
    database_url: str = Field(
        "", description="SQLAlchemy URL; empty: SQLite file in the data folder"
    )
    broker_url: str = Field(
        "", description="Celery broker URL; empty: Valkey socket in the data folder"
    )
    host: str = Field(
        "127.0.0.1", description="Address the dashboard listens on; loopback unless changed"
    )
    port: int = Field(8000, ge=0, le=65535, description="Port of the dashboard; 0 picks a free one")
    token: SecretStr = Field(
        SecretStr(""), description="Access token; empty: made once and kept in the data folder"
    )
    carla: str = Field(
        "", description="CARLA servers as host:port, comma-separated; empty: embedded simulators"
    )
    carla_command: str = Field(
        "",
        description="Command that starts a CARLA server here; {port} in it becomes a free port. Empty: none",
    )
    carla_start: float = Field(
        120.0, gt=0, description="Seconds a server started by that command has to answer"
    )
    slots: int = Field(1, ge=1, le=64, description="Runs one worker trains at the same time")
    heartbeat_ttl: float = Field(
        20.0, gt=0, description="Seconds without a heartbeat after which a run is reaped"
    )
    max_crashes: int = Field(
        5, ge=0, description="Crashes without progress past the last checkpoint before failing"
    )
    upload_limit: int = Field(
        512_000_000, ge=1, description="Bytes an uploaded log may have, packed and unpacked"
    )
    keep_days: float = Field(
        0.0,
        ge=0,
        description="Days after its end when a run is deleted for good; pinned checkpoints keep theirs. 0: never",
    )
    stop_timeout: float = Field(
        20.0, gt=0, description="Seconds a trainer has to stop before SIGTERM, then SIGKILL"
    )
    notify_on: str = Field(
        "verdict,halted,failed,crash,gate,ladder",
        description="News to notify of, comma-separated: verdict, halted, failed, finished, crash, gate, ladder",
    )
    public_url: str = Field(
        "", description="Address of the dashboard as people reach it, for links in notifications"
    )
    webhook_url: SecretStr = Field(
        SecretStr(""), description="Address that notifications are posted to as JSON"
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Key of their signature, HMAC-SHA256; empty: not signed"
    )
    slack_url: SecretStr = Field(
        SecretStr(""), description="Incoming webhook of Slack, Mattermost or another chat like it"
    )
    smtp_host: str = Field("", description="Mail server for notifications; empty: no mail")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection to it is secured"
    )
    smtp_user: str = Field("", description="User at the mail server; empty: no sign-in")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password at the mail server")
    mail_from: str = Field("", description="Sender of the mail; empty: the first recipient")
    mail_to: str = Field("", description="Who gets the mail, comma-separated")

    def as_environment(self) -> dict[str, str]:
        """These settings as variables for a child process; it must resolve no path by itself."""
        values = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.model_dump().items()
        }
        values["data"] = self.data.resolve()
        return {f"{PREFIX}{name.upper()}": str(value) for name, value in values.items()}

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data.resolve() / 'pitwall.db'}"

    def folders_of(self, run_id: int) -> list[Path]:
        """Every folder a run has to itself; a worker elsewhere may keep some of them there."""
        data = self.data.resolve()
        kinds = ("checkpoints", "snapshots", "logs", "spool")
        return [data / kind / f"run-{run_id:06d}" for kind in kinds]

    @property
    def checkpoints_folder(self) -> Path:
        return self.data.resolve() / "checkpoints"

    @property
    def snapshots_folder(self) -> Path:
        return self.data.resolve() / "snapshots"

    @property
    def logs_folder(self) -> Path:
        return self.data.resolve() / "logs"


def read_settings(**given: Any) -> Settings:
    """Settings of the environment, with what is given on top.

    Raises:
        InvalidConfig: a value is not one that setting can have; names it by its variable.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        raise InvalidConfig(
            {f"{PREFIX}{'.'.join(map(str, e['loc'])).upper()}": in_words(e) for e in error.errors()}
        ) from None
