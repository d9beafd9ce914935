"""Whether Gymnasium knows an environment, asked before a run is queued for it."""

BUILT_IN = "gymnasium:"


def unregistered(environment: str) -> str | None:
    """Why no `gymnasium:ID` of that name can be made, in Gymnasium's words; None where it can, or for others.

    One with a module of its own registers itself in the process that trains: only that can tell.
    """
    name = environment.removeprefix(BUILT_IN)
    if name == environment or ":" in name:
        return None
    import gymnasium  # a tenth of a second, and most runs drive in CARLA

    try:
        gymnasium.spec(name)
    except gymnasium.error.Error as error:
        return (
            f"environment ({environment}) is not registered ({error}): choose one that is, or for one of "
            "your own gymnasium:MODULE:ID with the module that registers it"
        )
    return None
