"""Train stable-baselines3 under Pitwall: `model.learn(..., callback=PitwallCallback(run))`."""

from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter

from backend.client.run import ClientRun

# What SB3 calls by another name than the catalogue and its TensorBoard aliases.
NAMES = {
    "train/n_updates": "learner/updates",
    "time/fps": "progress/steps_per_second",
    "eval/mean_ep_length": "evaluation/length",
}
LEFT_OUT = ("time/iterations", "time/time_elapsed", "time/total_timesteps", "time/episodes")


class PitwallCallback(BaseCallback):
    """Every episode's return and length at its step, everything SB3's logger records, and the Halt button.

    With `save` the model is saved to that file when people or rules halt the run, and shown on its page.
    The run is finished by who made it.
    """

    def __init__(self, run: ClientRun, save: str | Path | None = None) -> None:
        super().__init__()
        self._run = run
        self._save = save
        self._episodes = 0
        self._writer = _Writer(run)

    def _on_training_start(self) -> None:
        # A logger of the script's own outlives `learn`: a second one would write everything twice.
        if self._writer not in self.model.logger.output_formats:
            self.model.logger.output_formats.append(self._writer)

    def _on_step(self) -> bool:
        for info in self.locals.get("infos", ()):
            if "episode" in info:
                self._log_episode(info["episode"])
        if not self._run.should_halt():
            return True
        if self._save is not None:
            self.model.save(self._save)
            path = Path(self._save)
            saved = path if path.suffix else path.with_suffix(".zip")
            self._run.checkpoint(saved, self.num_timesteps, "halt")
        return False

    def _log_episode(self, episode: dict[str, float]) -> None:
        values = {"episode/return": episode["r"], "episode/length": episode["l"]}
        self._run.log(values, step=self.num_timesteps, episode=self._episodes)
        self._episodes += 1

    def _on_training_end(self) -> None:
        self._run.flush()


class _Writer(KVWriter):
    """Receives what SB3 writes to its logger."""

    def __init__(self, run: ClientRun) -> None:
        self._run = run

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, Any], step: int = 0
    ) -> None:
        values = {
            NAMES.get(name, name): float(value)
            for name, value in key_values.items()
            if name not in LEFT_OUT and isinstance(value, int | float | np.number)
        }
        if values:
            self._run.log(values, step=step)

    def close(self) -> None:
        """The run is closed by who made it."""
