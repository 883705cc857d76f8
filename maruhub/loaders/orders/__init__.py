"""Orders: what comes when in an epoch. A policy a file; each makes a pure function.

May use: the permutations, and one column of the source where a policy goes by it. Never here:
bytes, ranks, batches, time. An order is a format: what a seed and an epoch give is the same in
every release (tests freeze values of each).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.order import Policy
from maruhub.loaders.orders.balanced import Balanced
from maruhub.loaders.orders.blocks import Blocks
from maruhub.loaders.orders.curriculum import Curriculum
from maruhub.loaders.orders.mixed import Mixed
from maruhub.loaders.orders.sequential import Sequential
from maruhub.loaders.orders.shuffled import Shuffled
from maruhub.loaders.orders.weighted import Weighted

__all__ = [
    "Balanced",
    "Blocks",
    "Curriculum",
    "Mixed",
    "Policy",
    "Sequential",
    "Shuffled",
    "Weighted",
    "policy_of",
]

_KINDS: Final[dict[str, type[Any]]] = {
    policy.kind: policy for policy in (Shuffled, Sequential, Blocks, Mixed, Balanced, Weighted, Curriculum)
}


def policy_of(told: object) -> Policy:
    """The policy that ``to_json`` told of; it may come from anywhere. Raises InvalidInput."""
    fields = dict(argument.mapping("an order", told))
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidInput(f"there is no order {str(kind)[:40]!r}.", hint=f"Orders: {', '.join(_KINDS)}.")
    policy = _KINDS[kind]
    try:
        made: Policy = policy(**_named(fields))
    except TypeError as error:
        raise InvalidInput(f"the order {kind!r} is not told right: {error}.") from error
    return made


def _named(fields: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in fields.items()}
