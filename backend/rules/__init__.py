"""Rules: pure functions that judge a training run from its metrics; numpy only."""
