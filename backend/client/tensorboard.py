"""A `SummaryWriter` that writes to Pitwall: a script that logs to TensorBoard changes one import."""

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backend.client.pitwall import Pitwall
from backend.client.run import ClientRun

log = logging.getLogger(__name__)


class SummaryWriter:
    """Scalars become metrics of a run; pictures, histograms and texts are left out, with a word.

    Server and token come from `PITWALL_URL` and `PITWALL_TOKEN` unless a `run` is given. The run is
    called after the last part of `log_dir`. Tags in `per_episode` count episodes where others count env
    steps: their points stand at the newest step.
    """

    def __init__(
        self,
        log_dir: str | Path | None = None,
        comment: str = "",
        *_: Any,
        run: ClientRun | None = None,
        config: Mapping[str, Any] | None = None,
        per_episode: Collection[str] = (),
        **__: Any,
    ) -> None:
        self.log_dir = "" if log_dir is None else str(log_dir)
        self.run = run or Pitwall().run((Path(self.log_dir).name + comment)[:120], config)
        self._per_episode = frozenset(per_episode)
        self._newest = 0
        self._silenced: set[str] = set()

    def add_scalar(
        self,
        tag: str,
        scalar_value: float,
        global_step: int | None = None,
        walltime: float | None = None,
        *_: Any,
        **__: Any,
    ) -> None:
        """Record a value; without a step, at the newest one. The time is that of the call."""
        self._log({tag: scalar_value}, tag, global_step)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, float],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Record several values, each as `main_tag/name`."""
        values = {f"{main_tag}/{name}": value for name, value in tag_scalar_dict.items()}
        self._log(values, main_tag, global_step)

    def _log(self, values: Mapping[str, float], tag: str, step: int | None) -> None:
        if tag in self._per_episode:
            self.run.log(values, self._newest, step)
            return
        step = self._newest if step is None else int(step)
        self._newest = max(self._newest, step)
        self.run.log(values, step)

    def flush(self) -> None:
        self.run.flush()

    def close(self) -> None:
        """Ship what is left and end the run."""
        self.run.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.run.__exit__(exc_type, exc, traceback)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("add_"):
            raise AttributeError(f"SummaryWriter has no {name}")

        def leave_out(*_: Any, **__: Any) -> None:
            if name not in self._silenced:
                self._silenced.add(name)
                log.warning("Pitwall keeps scalars: %s is left out", name)

        return leave_out
