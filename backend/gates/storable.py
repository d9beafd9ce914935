"""Values as JSON can hold them."""

import math
from typing import Any


def storable(value: Any) -> Any:
    """Numbers that are not finite become None: neither JSON nor its readers know them.

    The rule's reason still names them.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list | tuple) else value
