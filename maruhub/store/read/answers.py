"""What blades have answered about bytes that none of them had whole: a dead drive is told from rot."""

from __future__ import annotations

import errno
import os
from typing import Final

from maruhub.errors import Corrupt
from maruhub.store.format.extent import Extent
from maruhub.store.read.layouts import FileKey

WRONG: Final = 0

Answers = dict[FileKey, int]
"""By file: the number of its blade's error, or ``WRONG`` for bytes that are not those that were written."""

_AWAY: Final = {errno.ENODEV: "missing", errno.ETIMEDOUT: "no answer in its time"}
_WORDS: Final = {
    **_AWAY,
    WRONG: "other bytes than were written",
    errno.ENOENT: "the file is gone",
    errno.ENODATA: "the file is shorter than it was",
}
_ID_DIGITS: Final = 8
_NAMED_MAX: Final = 4


def no_intact_copy(extent: Extent, answers: Answers) -> Corrupt:
    """The error of an extent that can't be had; without ``answers`` there is no such place.

    No folder is named: it is told to whoever asks over HTTP, too.
    """
    why = _told(answers) if answers else "there is no such segment or place"
    return Corrupt(
        f"segment {extent.segment:016x}, offset {extent.offset}, {extent.length} bytes: "
        f"no intact copy is left ({why}).",
        hint=_hint(set(answers.values())),
    )


def _told(answers: Answers) -> str:
    blades: dict[int, dict[str, None]] = {}
    for key, number in answers.items():
        blades.setdefault(number, {})[key.blade_id.hex()[:_ID_DIGITS]] = None
    return "; ".join(f"{_named(list(ids))}: {_words(number)}" for number, ids in blades.items())


def _named(ids: list[str]) -> str:
    more = f" and {len(ids) - _NAMED_MAX} more" if len(ids) > _NAMED_MAX else ""
    return f"blade{'s' if len(ids) > 1 else ''} {', '.join(ids[:_NAMED_MAX])}{more}"


def _words(number: int) -> str:
    return _WORDS.get(number) or os.strerror(number)


def _hint(numbers: set[int]) -> str:
    if not numbers or numbers & _AWAY.keys():
        return "Bring missing blades back; see `maru check`."
    if numbers == {WRONG}:
        return "These bytes have rotted; `maru scrub` finds what else has, and puts right what it can."
    return "The kernel's log says more of the drives; `maru check` lists what is lost."
