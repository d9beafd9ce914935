"""Process settings, read once at an entry point from the environment and passed in from there."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting can be given as an environment variable with the prefix `PITWALL_`."""

    model_config = SettingsConfigDict(env_prefix="PITWALL_", extra="ignore")

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
    stop_timeout: float = Field(
        20.0, gt=0, description="Seconds a trainer has to stop before SIGTERM, then SIGKILL"
    )

    def as_environment(self) -> dict[str, str]:
        """These settings as variables for a child process; it must resolve no path by itself."""
        values = {**self.model_dump(), "token": self.token.get_secret_value()}
        values["data"] = self.data.resolve()
        return {f"PITWALL_{name.upper()}": str(value) for name, value in values.items()}

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data.resolve() / 'pitwall.db'}"

    @property
    def checkpoints_folder(self) -> Path:
        return self.data.resolve() / "checkpoints"

    @property
    def snapshots_folder(self) -> Path:
        return self.data.resolve() / "snapshots"

    @property
    def logs_folder(self) -> Path:
        return self.data.resolve() / "logs"
