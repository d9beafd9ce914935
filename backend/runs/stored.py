"""A run's configuration as its row holds it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, Dialect, TypeDecorator

from backend.runs.config import RunConfig

# Who trains a run that Pitwall does not: in the configuration of no other.
SOURCE = "source"
# What a run did without a key. Its default is chosen to be that; but no rule took a run back before they could.
WITHOUT: Mapping[str, Any] = {**RunConfig().model_dump(mode="json"), "rollback_on": []}


class StoredConfig(TypeDecorator[dict[str, Any]]):
    """JSON; the configuration of one of Pitwall's own runs lacks no key, though the key be younger than the run."""

    impl = JSON
    cache_ok = True

    def process_result_value(
        self, value: dict[str, Any] | None, dialect: Dialect
    ) -> dict[str, Any] | None:
        return value if value is None or SOURCE in value else {**WITHOUT, **value}
