"""Sidecars: small files that describe a neighbour. ``x.json``, ``x.txt``, ``x.cls``.

In a folder, a sidecar belongs to the files that are called as it is without its ending,
with or without an ending of their own: ``x.json`` and ``x.jpg.json`` to ``x.jpg``. In an
archive all neighbours with one stem (up to the first dot, WebDataset's rule) are one
sample. A sidecar that belongs to nothing is an object of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from maruhub.ingest.entry import Entry, Refusal
from maruhub.ingest.reason import EntryRefused, Reason

ENDINGS: Final = ("json", "txt", "cls")
"""In this order: what comes later wins where two say the same."""

SIDECAR_BYTES_MAX: Final = 32 << 10
"""What is larger is data, and an object of its own."""

_SAMPLE_ENTRIES_MAX: Final = 64
_MAIN_ENDINGS: Final = ("txt", "json")


def paired(entries: Iterable[Entry | Refusal], *, as_samples: bool) -> Iterator[Entry | Refusal]:
    """Entries with their sidecars attached; those no longer come by themselves.

    Args:
        entries: Neighbours in a folder or sample must follow each other.
        as_samples: WebDataset's rule instead of the folder's.
    """
    group: list[Entry] = []
    stem = ""
    for entry in entries:
        if isinstance(entry, Refusal):
            yield entry
            continue
        own = stem_of(entry.name)
        if group and (own != stem or len(group) == _SAMPLE_ENTRIES_MAX):
            yield from _pair(group, as_samples=as_samples)
            group = []
        group.append(entry)
        stem = own
    yield from _pair(group, as_samples=as_samples)


def stem_of(name: str) -> str:
    """A name up to the first dot of its last part (a leading dot is part of the stem)."""
    folder, slash, base = name.rpartition("/")
    cut = base.find(".", 1)
    return folder + slash + (base if cut < 0 else base[:cut])


def _pair(group: list[Entry], *, as_samples: bool) -> Iterator[Entry]:
    media = [entry for entry in group if not _may_describe(entry)]
    if not media:
        media = _texts(group)
    labels = [entry for entry in group if entry not in media]
    taken: set[str] = set()
    for entry in media:
        own = tuple(each for each in labels if as_samples or _describes(each.name, entry.name))
        taken.update(each.name for each in own)
        yield entry._replace(sidecars=own) if own else entry
    yield from (each for each in labels if each.name not in taken)


def _texts(group: list[Entry]) -> list[Entry]:
    """The samples of a group without media: its texts, else its JSON."""
    for ending in _MAIN_ENDINGS:
        found = [entry for entry in group if _ending(entry.name) == ending]
        if found:
            return found
    return []


def _may_describe(entry: Entry) -> bool:
    return _ending(entry.name) in ENDINGS and 0 <= entry.size <= SIDECAR_BYTES_MAX


def _describes(sidecar: str, name: str) -> bool:
    subject = sidecar.rpartition(".")[0]
    return name == subject or name.rpartition(".")[0] == subject


def _ending(name: str) -> str:
    base = name.rpartition("/")[2]
    return base.rpartition(".")[2].lower() if "." in base[1:] else ""


def parse_sidecar(name: str, data: bytes) -> dict[str, str]:
    """Metadata fields of one sidecar. Raises EntryRefused.

    ``.cls`` gives ``label``, ``.txt`` gives ``text``; ``.json`` gives a field for each of
    its own, text by text: nested values as compact JSON, null left out.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EntryRefused(Reason.BAD_SIDECAR, f"it is not UTF-8 at byte {error.start}") from None
    ending = _ending(name)
    if ending == "cls":
        return {"label": text.strip()}
    if ending == "txt":
        return {"text": text.strip("\r\n")}
    return _parse_json(text)


def _parse_json(text: str) -> dict[str, str]:
    try:
        value = json.loads(text)
        fields = value if isinstance(value, dict) else {"json": value}
        found = {name: _as_text(each) for name, each in fields.items() if name and each is not None}
        for each in (*found, *found.values()):
            each.encode()
    except RecursionError:
        raise EntryRefused(Reason.BAD_SIDECAR, "its JSON is nested too deep") from None
    except ValueError as error:
        raise EntryRefused(Reason.BAD_SIDECAR, f"it is not valid JSON: {error}") from None
    return found


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
