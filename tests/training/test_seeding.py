"""Episode seeds: a function of run, stream and number, different wherever one of them is."""

from hypothesis import given
from hypothesis import strategies as st

from worker.seeding import Stream, episode_seed

seeds = st.integers(0, 2**31 - 1)
numbers = st.integers(0, 10**7)


@given(seeds, st.sampled_from(Stream), numbers)
def test_a_seed_is_reproducible_and_fits_every_generator(
    run: int, stream: Stream, number: int
) -> None:
    seed = episode_seed(run, stream, number)
    assert seed == episode_seed(run, stream, number)
    assert 0 <= seed < 2**31


def test_streams_episodes_and_runs_do_not_share_seeds() -> None:
    found = {
        episode_seed(run, stream, number)
        for run in range(10)
        for stream in Stream
        for number in range(100)
    }
    assert len(found) == 10 * len(Stream) * 100
