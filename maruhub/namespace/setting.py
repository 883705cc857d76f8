"""Settings of a bucket: named fields of its row B that callers set. Pure.

Most mean nothing here: whoever sets them reads them (CORS, policies, ACLs are the door's). Those
that the namespace goes by itself are checked: the default of object lock, quotas, rules of a lifecycle.
"""

from __future__ import annotations

import json
from typing import Any, Final

from maruhub.errors import InvalidInput, Refused
from maruhub.namespace.access_key import check_user_name
from maruhub.namespace.fields import Fields
from maruhub.namespace.lifecycle import rules_from_json
from maruhub.namespace.quota import Quota

SETTINGS: Final = frozenset(
    {"owner", "tags", "cors", "policy", "lifecycle", "public_access", "acl", "lock", "quota", "region"}
)
"""Those that can be set; the bucket's other fields have methods of their own."""

_BYTES_MAX: Final = 512 * 1024
_SPAN_MAX: Final = {"days": 36_500, "years": 100}
_KEYS: Final = {"mode", *_SPAN_MAX}


def changed_settings(tail: Fields, settings: Fields) -> dict[str, Any]:
    """A bucket's fields with ``settings`` replaced, None removes one; raises InvalidInput, Refused."""
    unknown = settings.keys() - SETTINGS
    if unknown:
        raise InvalidInput(
            f"{min(unknown)!r} is no setting of a bucket.", hint=f"There are {', '.join(sorted(SETTINGS))}."
        )
    if settings.get("owner") is not None:
        check_user_name(settings["owner"])
    merged = {name: value for name, value in {**tail, **settings}.items() if value is not None}
    if "lock" in tail and "lock" not in merged:
        raise Refused("object lock can't be taken from a bucket.", hint="Leave out its default with {}.")
    if settings.get("lifecycle") is not None:
        rules_from_json(settings["lifecycle"])
    if settings.get("quota") is not None:
        Quota.of(settings["quota"])
    if "lock" in merged:
        _check_lock(merged["lock"])
    try:
        size_bytes = len(json.dumps(merged, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the settings are not JSON: {error}.") from None
    if size_bytes > _BYTES_MAX:
        raise InvalidInput(
            f"the settings of the bucket take {size_bytes} bytes.", hint=f"They may take {_BYTES_MAX}."
        )
    return merged


def _check_lock(lock: object) -> None:
    """Nothing if it is {}, or a mode with days or years."""
    if lock == {}:
        return
    given: dict[str, Any] = lock if isinstance(lock, dict) else {}
    spans = {name: given.get(name) or 0 for name in _SPAN_MAX}
    fits = all(type(span) is int and 0 <= span <= _SPAN_MAX[name] for name, span in spans.items())
    one = fits and sum(bool(span) for span in spans.values()) == 1
    if not one or given.get("mode") not in ("GOVERNANCE", "COMPLIANCE") or given.keys() - _KEYS:
        raise InvalidInput(
            "the default of object lock is a mode, GOVERNANCE or COMPLIANCE, and days or years.",
            hint="Give {'mode': 'GOVERNANCE', 'days': 30}, or {} for none.",
        )
