"""Whether Gymnasium knows an environment, asked before a run is queued for it."""

from backend.runs.config import RunConfig


def unregistered(config: RunConfig) -> list[str]:
    """Why Gymnasium cannot make the environment, in its words, as `contradictions` tells a problem; else nothing.

    One with a module of its own registers itself in the process that trains: only that can tell. Without a
    version the ID is that of the newest.
    """
    name = config.gymnasium_id
    if not name or ":" in name:
        return []
    import gymnasium  # a tenth of a second, and most runs drive in CARLA
    from gymnasium.envs.registration import find_highest_version, parse_env_id

    try:
        namespace, plain, version = parse_env_id(name)
        newest = find_highest_version(namespace, plain) if version is None else None
        gymnasium.spec(name if newest is None else f"{name}-v{newest}")
    except gymnasium.error.Error as error:
        return [
            f"environment ({config.environment}) is not registered ({error}): choose one that is, or for one of "
            "your own gymnasium:MODULE:ID with the module that registers it"
        ]
    return []
