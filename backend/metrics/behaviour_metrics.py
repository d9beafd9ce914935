"""The catalogue's entries of what is tried and remembered: histograms of actions, coverage of the replay buffer."""

from backend.metrics.metric import DOWN, UP, Metric

BINS = 8
# The fastest a bin of the speed histogram tells apart, m/s; the last one holds all above.
TOP_SPEED = 16.0


def edges(low: float, high: float) -> list[str]:
    """What the bins between two values are called."""
    width = (high - low) / BINS
    return [f"{low + width * i:g} to {low + width * (i + 1):g}" for i in range(BINS)]


def bins(prefix: str) -> tuple[str, ...]:
    """Names of a histogram's metrics, lowest first."""
    return tuple(f"{prefix}_bin_{number}" for number in range(BINS))


def _histogram(prefix: str, low: float, high: float, what: str) -> list[Metric]:
    title = prefix.split("/")[1].replace("_", " ").capitalize()
    return [
        Metric(name, f"{title}, {span}", "%", f"Share of {what} from {span}")
        for name, span in zip(bins(prefix), edges(low, high), strict=True)
    ]


def behaviour() -> list[Metric]:
    return [
        *_histogram("actions/steering", -1, 1, "executed steering"),
        *_histogram("actions/throttle", -1, 1, "executed throttle (below 0: brake)"),
        *_histogram("replay/steering", -1, 1, "replayed steering"),
        *_histogram("replay/speed", 0, TOP_SPEED, "replayed states with a speed in m/s"),
        Metric(
            "replay/coverage",
            "Replay coverage",
            "%",
            f"Share of {BINS} x {BINS} cells of steering and speed (2 m/s each) that the buffer has seen",
            UP,
        ),
    ]


def parameters() -> list[Metric]:
    found = []
    for net in ("actor", "critic"):
        title = net.capitalize()
        found += [
            Metric(
                f"learner/{net}_dead_units",
                f"{title} dead units",
                "%",
                "Share of the head's hidden units that are 0 for every state of the batch",
                DOWN,
            ),
            *(
                Metric(
                    f"learner/{net}_parameter_{stat}",
                    f"{title} parameters, {stat}",
                    "",
                    f"{stat} over all weights and biases",
                    aliases=(f"agent/{net}_param_{stat}",),
                )
                for stat in ("mean", "std")
            ),
        ]
    return found
