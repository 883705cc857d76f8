"""Which failures the data survive now: counted over all segments, said in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from maruhub.store.blades import COPIES
from maruhub.store.format.layout import Layout


@dataclass(frozen=True, slots=True)
class Protection:
    """``survives``: blades that may fail now without a loss, −1 where some data can't be read.

    ``reduced``: fewer than the pool promises, or blades are missing. ``forms``: segments by
    how they lie: ``3 copies``, ``4+2``.
    """

    survives: int
    reduced: bool
    forms: dict[str, int]
    sentence: str


def protection_of(layouts: Iterable[Layout], answering: Collection[bytes], blades: int) -> Protection:
    """What all segments together survive.

    Args:
        layouts: Of every segment.
        answering: Ids of the blades that answer.
        blades: How many the pool has, missing ones included.
    """
    promised = min(COPIES, blades) - 1
    survives, forms, lost = promised, Counter[str](), False
    for layout in layouts:
        needed = layout.strips.data if layout.strips else 1
        there = sum(blade in answering for blade in layout.blades)
        survives = min(survives, there - needed)
        lost = lost or there < len(layout.blades)
        forms[_form(layout)] += 1
    reduced = survives < promised or len(answering) < blades
    said = _sentence(blades, survives, forms)
    if survives < promised:
        why = (
            "what missing or lost blades held is not made again yet"
            if lost
            else "some data lie on fewer blades than they should; `maru care` spreads them where there is room"
        )
        said += f" REDUCED: {why}."
    elif len(answering) < blades:
        said += _missing(blades, blades - len(answering))
    return Protection(survives, reduced, dict(sorted(forms.items())), said)


def _missing(blades: int, missing: int) -> str:
    if missing == 1:
        return f" Of {blades} blades one is missing; what it held is on the others."
    return f" Of {blades} blades {missing} are missing; what they held is on the others."


def _form(layout: Layout) -> str:
    if layout.strips is None or layout.strips.data == 1:
        return "1 copy" if len(layout.blades) == 1 else f"{len(layout.blades)} copies"
    return f"{layout.strips.data}+{layout.parity}"


def _sentence(blades: int, survives: int, forms: Collection[str]) -> str:
    coded = any("+" in form for form in forms)
    if survives < 0:
        said = "Some data cannot be read from the blades that answer: bring the missing blades back."
    elif blades == 1:
        said = "One blade: damage is noticed by checksums, but nothing survives the loss of the blade."
    elif survives == 0:
        said = "The loss of another blade may lose data."
    else:
        how = (
            "Parity over all blades"
            if coded
            else f"{'Three' if survives > 1 else 'Two'} copies of everything"
        )
        said = f"{how}: any {'two blades' if survives > 1 else 'one blade'} may fail."
    return said
