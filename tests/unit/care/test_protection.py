"""The sentence on protection says what is, and that it is reduced only while it is."""

from __future__ import annotations

from dataclasses import replace

from maruhub.care.protection import protection_of
from maruhub.store.format.layout import Layout, StripsLayout
from maruhub.store.format.segment_class import SegmentClass

BLADES = [bytes([number]) * 16 for number in range(6)]


def _segment(data: int, blades: list[bytes]) -> Layout:
    copies = Layout(1, SegmentClass.RAW, True, 1, 1, 4096, tuple(blades))
    if data == 0:
        return copies
    lengths = (4096,) * len(blades)
    strips = StripsLayout(data=data, act=1, data_at=4096, lengths=lengths, dropped=0, floor=4096)
    return replace(copies, strips=strips)


def test_a_loss_that_is_not_repaired_is_called_reduced() -> None:
    told = protection_of([_segment(4, BLADES)], BLADES[2:], 6)
    assert (told.survives, told.reduced, told.forms) == (0, True, {"4+2": 1})
    assert "another blade may lose data. REDUCED" in told.sentence


def test_after_repair_only_the_missing_blades_are_told() -> None:
    told = protection_of([_segment(2, BLADES[2:]), _segment(0, BLADES[3:])], BLADES[2:], 6)
    assert (told.survives, told.forms) == (2, {"2+2": 1, "3 copies": 1})
    assert "any two blades may fail. Of 6 blades 2 are missing" in told.sentence
    assert "REDUCED" not in told.sentence


def test_whole_pool_says_nothing_more() -> None:
    told = protection_of([_segment(4, BLADES)], BLADES, 6)
    assert not told.reduced
    assert told.sentence == "Parity over all blades: any two blades may fail."


def test_too_many_losses_are_said() -> None:
    told = protection_of([_segment(4, BLADES)], BLADES[3:], 6)
    assert told.survives == -1
    assert "cannot be read" in told.sentence


def test_one_missing_blade_is_one() -> None:
    told = protection_of([_segment(2, BLADES[1:5])], BLADES[1:], 6)
    assert "Of 6 blades one is missing; what it held is on the others." in told.sentence


def test_too_few_copies_on_blades_that_answer_are_no_loss() -> None:
    told = protection_of([_segment(0, BLADES[:1])], BLADES[:2], 2)
    assert (told.survives, told.reduced) == (0, True)
    assert (
        "REDUCED: some data lie on fewer blades than they should; `maru care` spreads them" in told.sentence
    )
    assert "lost blades" not in told.sentence
