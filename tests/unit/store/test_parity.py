"""The code of strips: frozen bytes, every loss, any range, and no trust in a library."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.errors import Corrupt, InvalidInput
from maruhub.store import parity
from maruhub.store.parity import Code, agrees, code, fastest, find_isal, multiply_plain

ROOT = Path(__file__).resolve().parents[3]
PLAIN = {data: Code(data, multiply_plain) for data in range(1, 9)}
CODES = [pytest.param(code, id="fastest"), pytest.param(PLAIN.__getitem__, id="plain")]


def made(data: int, length: int, seed: int = 0) -> list[bytes]:
    """All strips of one segment, coded by the definition."""
    rng = random.Random(f"{seed}/{data}/{length}")
    strips = [rng.randbytes(length) for _ in range(data)]
    return [*strips, *STRANGER["encode"](strips)]


def stranger() -> dict:
    """What somebody has who read the decision and has Python alone: its own text, run."""
    text = (ROOT / "docs" / "decisions" / "007-reed-solomon.md").read_text()
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    return names


STRANGER = stranger()


def test_the_worked_example_of_the_decision():
    strips = [b"\x01\x80\xff", b"\x03\x80\x10"]
    p, q = code(2).encode(strips)
    assert (bytes(p), bytes(q)) == (b"\x02\x00\xef", b"\x07\x9d\xdf")
    assert [bytes(one) for one in code(2).decode({2: p, 3: q}, [0, 1])] == strips


DIGESTS = {
    1: "9fa2fa36155bcd26",
    2: "3e9b242e2e1df4a6",
    3: "c9dd7b37d0f82a36",
    4: "132b707e3697af6e",
    5: "d85e5474294b1cae",
    6: "6054d1d48a96e3cb",
    7: "dc1c1906882dd5de",
    8: "66dbabbfa3baa23f",
}


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize("data", range(1, 9))
def test_parity_bytes_are_frozen(which, data: int):
    """Whatever library does the work: these bytes are on drives."""
    strips = [hashlib.shake_128(bytes([number])).digest(1009) for number in range(data)]
    digest = hashlib.sha256(b"".join(which(data).encode(strips))).hexdigest()
    assert digest[:16] == DIGESTS[data]


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize("data", range(1, 9))
def test_a_stranger_finds_the_same(which, data: int):
    for length in (1, 15, 33, 4096, 5001):
        strips = made(data, length)
        assert [bytes(one) for one in which(data).encode(strips[:data])] == strips[data:]


@pytest.mark.parametrize("data", range(1, 9))
def test_a_stranger_rebuilds_what_we_coded(data: int):
    strips = [random.Random(number).randbytes(77) for number in range(data)]
    coded = [*strips, *map(bytes, code(data).encode(strips))]
    for lost in itertools.combinations(range(data + 2), 2):
        have = {number: strip for number, strip in enumerate(coded) if number not in lost}
        assert STRANGER["rebuild"](data, have) == strips


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize("data", range(1, 9))
def test_any_two_lost_come_back(which, data: int):
    strips = made(data, 211)
    for lost in itertools.chain.from_iterable(itertools.combinations(range(data + 2), n) for n in (1, 2)):
        have = {number: strip for number, strip in enumerate(strips) if number not in lost}
        assert [bytes(one) for one in which(data).decode(have, lost)] == [strips[number] for number in lost]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_range_decodes_alone(draw: st.DataObject):
    data = draw.draw(st.integers(1, 8))
    length = draw.draw(st.integers(0, 100_000))
    begin = draw.draw(st.integers(0, length))
    end = draw.draw(st.integers(begin, min(length, begin + draw.draw(st.sampled_from([1, 70, 100_000])))))
    lost = draw.draw(st.sets(st.integers(0, data + 1), min_size=1, max_size=2))
    order = draw.draw(st.permutations(sorted(lost)))
    strips = [*(one := np.random.default_rng(length).integers(0, 256, (data, length), np.uint8))]
    strips += [np.frombuffer(view, np.uint8) for view in code(data).encode(list(one))]
    have = {number: memoryview(strips[number])[begin:end] for number in range(data + 2) if number not in lost}
    decoded = code(data).decode(have, order)
    assert [bytes(view) for view in decoded] == [bytes(strips[number][begin:end]) for number in order]


KINDS = [
    bytes,
    bytearray,
    memoryview,
    lambda strip: memoryview(bytearray(b"x" + strip))[1:],
    lambda strip: np.frombuffer(strip, np.uint8),
]


@pytest.mark.parametrize("which", CODES)
@pytest.mark.parametrize("shift", range(len(KINDS)))
@pytest.mark.parametrize("mixed", [0, 1])
def test_any_buffer_will_do(which, shift: int, mixed: int):
    strips = made(3, 100)
    given = [KINDS[(shift + mixed * number) % len(KINDS)](strip) for number, strip in enumerate(strips)]
    assert [bytes(view) for view in which(3).encode(given[:3])] == strips[3:]
    assert bytes(which(3).decode({number: given[number] for number in (1, 3, 4)}, [0])[0]) == strips[0]
    assert [bytes(strip) for strip in given] == strips


def test_what_comes_back_is_the_callers():
    strips = made(2, 64)
    (first,) = code(2).decode({1: strips[1], 2: strips[2]}, [0])
    first[0] ^= 0xFF
    assert bytes(code(2).decode({1: strips[1], 2: strips[2]}, [0])[0]) == strips[0]


def test_what_is_there_is_given_back_uncopied_and_twice_if_asked_twice():
    strips = made(2, 64)
    have = {0: strips[0], 2: strips[2]}
    back = code(2).decode(have, [1, 0, 1])
    assert [bytes(view) for view in back] == [strips[1], strips[0], strips[1]]
    assert back[1].obj is strips[0]
    assert code(2).decode({0: strips[0]}, [0])[0].obj is strips[0]


def test_more_strips_than_needed_are_welcome():
    strips = made(4, 64)
    wrong = bytes(64)
    assert (
        bytes(code(4).decode({0: strips[0], 2: strips[2], 3: strips[3], 4: strips[4], 5: wrong}, [1])[0])
        == (strips[1])
    )


def test_one_object_a_code():
    assert code(4) is code(4)
    assert (code(4).data, code(4).parity) == (4, 2)
    with pytest.raises(AttributeError):
        code(4).data = 5


@pytest.mark.parametrize("data", [-1, 0, 9])
def test_no_other_codes(data: int):
    with pytest.raises(InvalidInput, match="1 to 8"):
        code(data)


def test_too_few_strips_say_so():
    with pytest.raises(Corrupt, match=r"Strips 0, 5 can't be rebuilt: 3 others are left, 4 are needed"):
        code(4).decode({1: b"a", 2: b"b", 3: b"c"}, [0, 5])


def test_unequal_strips_say_which():
    with pytest.raises(Corrupt, match="1: 2, 2: 3"):
        code(2).decode({1: b"ab", 2: b"abc"}, [0])
    with pytest.raises(InvalidInput, match="0: 2, 1: 1"):
        code(2).encode([b"ab", b"a"])


def test_wrong_calls_say_so():
    with pytest.raises(InvalidInput, match="got 1"):
        code(2).encode([b"ab"])
    for have, want in (({0: b"", 1: b""}, [4]), ({0: b"", -1: b""}, [1])):
        with pytest.raises(InvalidInput, match="no strip"):
            code(2).decode(have, want)


def test_what_isal_could_not_count_is_refused(monkeypatch):
    monkeypatch.setattr(parity, "_MAX_BYTES", 10)
    with pytest.raises(InvalidInput, match="11 bytes"):
        code(1).encode([bytes(11)])


def test_isal_is_there_and_used():
    """PyECLib's wheel brings it. A release that no longer does must not slow us down unnoticed."""
    assert find_isal() is not None
    assert fastest() is not multiply_plain


def test_the_public_face_of_pyeclib_codes_the_same():
    """The same definition by another way in: a fragment is its header of 80 bytes, then our bytes."""
    from pyeclib.ec_iface import ECDriver

    strips = made(4, 4096)
    fragments = ECDriver(k=4, m=2, ec_type="isa_l_rs_vand").encode(b"".join(strips[:4]))
    assert [fragment[80:] for fragment in fragments] == strips


def test_a_library_that_disagrees_is_not_used(monkeypatch):
    def off_by_one_bit(matrix, strips, length):
        made = multiply_plain(matrix, strips, length)
        made[-1][-1] ^= 1
        return made

    assert agrees(multiply_plain)
    assert not agrees(off_by_one_bit)
    monkeypatch.setattr(parity, "_isal", lambda library: off_by_one_bit)
    assert find_isal() is None


def test_without_any_library_the_definition_works(monkeypatch):
    def no_library(name):
        raise OSError(name)

    monkeypatch.setattr(parity.ctypes, "CDLL", no_library)
    assert find_isal() is None
    assert fastest.__wrapped__() is multiply_plain


def test_many_threads_at_once():
    strips = made(4, 50_000)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for lost in random.Random(seed).sample(list(itertools.combinations(range(6), 2)), 10):
            have = {number: strips[number] for number in range(6) if number not in lost}
            found = code(4).decode(have, lost)
            wrong.extend(n for n, view in zip(lost, found, strict=True) if bytes(view) != strips[n])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
