"""Coding strips and decoding ranges in memory: our module beside what else speaks Reed–Solomon.

zfec is measured where it is installed (``pip install zfec``). PyECLib's own calls take all data as
one string and put a header of 80 bytes before each strip; what that costs is in its figures.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness import Bench, in_turns, rate, seconds
from maruhub.store.parity import Code, code, multiply_plain

TITLE = "Parity: encode, and decode of a range"
PROFILE = """
A call on short strips costs 5–7 µs, of which ISA-L works one or two and asking Python's buffers for their
addresses takes most of the rest (bytes tell theirs for less than views). From some 50 KB on memory is what
it waits for: strips are read once, parity is written once. The plain side is the same definition in numpy,
used where there is no ISA-L: every coefficient is a look-up a byte and another pass over memory; a single
lost strip is XOR alone, which numpy does about as fast.
"""
OURS, PLAIN = "hub: parity.py with ISA-L", "hub: parity.py with numpy alone"
ZFEC, PYECLIB, COPY = "zfec", "PyECLib, its own calls", "memcpy of the data strips"
_KIB, _MIB = 1 << 10, 1 << 20


def measure(bench: Bench) -> None:
    for data, size in ((1, 16 * _MIB), (4, 16 * _MIB), (8, 32 * _MIB), (4, 50_000)):
        _encode(bench, data, bench.pick(size, min(size, 64 * _KIB)))
    for data, lost in ((4, (0,)), (4, (0, 2)), (8, (0, 2))):
        _decode(bench, data, lost, 50_000)
    _threads(bench, 4, 50_000)
    _threads(bench, 4, _MIB)
    bench.note("Encode: bytes of data strips a second. Decode: lost ranges back a second, one thread.")
    bench.note("Each side gets the buffers that suit it best, made beforehand; its results are new memory.")
    bench.note("zfec rebuilds all lost data strips in a call, the others just the one that is wanted.")
    names = [name for name in ("pyeclib", "zfec") if importlib.util.find_spec(name)]
    bench.note(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names) + ".")


def _encode(bench: Bench, data: int, size: int) -> None:
    times = max(1, bench.pick(32 * _MIB, _MIB) // (data * size))
    gigabytes = times * data * size / 1e9
    sides = {
        name: lambda act=act: rate(gigabytes, lambda: [act() for _ in range(times)])
        for name, act in _encoders(_strips(data, size)).items()
    }
    found = in_turns(sides, bench.pick(9, 2), warm_up=True)
    human = f"{size // _MIB} MiB" if size >= _MIB else f"{size:,} bytes"
    group = bench.group(f"Encode {data} + 2 strips of {human}", "GB/s", found)
    _compare(bench, group.title, found)


def _encoders(strips: list[bytes]) -> dict[str, Callable[[], object]]:
    data = len(strips)
    together = b"".join(strips)
    sides: dict[str, Callable[[], object]] = {
        OURS: lambda: code(data).encode(strips),
        PLAIN: lambda: Code(data, multiply_plain).encode(strips),
    }
    driver = _driver(data)
    # What a sealer holds is strips: joining them is a part of these calls.
    sides[PYECLIB] = lambda: driver.encode(b"".join(strips))
    sides[PYECLIB + ", data joined before"] = lambda: driver.encode(together)
    if importlib.util.find_spec("zfec"):
        import zfec

        encoder, blocks = zfec.Encoder(data, data + 2), tuple(strips)
        sides[ZFEC] = lambda: encoder.encode(blocks, (data, data + 1))
    sides[COPY] = lambda: [bytearray(strip) for strip in strips]
    return sides


def _decode(bench: Bench, data: int, lost: tuple[int, ...], size: int) -> None:
    sides = {name: _side(bench, act, 1) for name, act in _decoders(_strips(data, size), lost).items()}
    found = in_turns(sides, bench.pick(9, 2), warm_up=True)
    words = "one lost" if len(lost) == 1 else "two lost"
    group = bench.group(f"Decode {size:,} bytes of {data} + 2, {words}", "ranges/s", found)
    _compare(bench, group.title, found)


def _decoders(strips: list[bytes], lost: tuple[int, ...]) -> dict[str, Callable[[], object]]:
    """One object is read: the range of the first lost strip alone is wanted."""
    data = len(strips)
    plain = Code(data, multiply_plain)
    left = [number for number in range(data + 2) if number not in lost][:data]
    all_strips = [*strips, *map(bytes, code(data).encode(strips))]
    have = {number: all_strips[number] for number in left}
    driver = _driver(data)
    fragments = driver.encode(b"".join(strips))
    # With its headers made before: nobody could keep them in strips without a place for each range.
    some = [fragments[number] for number in left]
    sides: dict[str, Callable[[], object]] = {
        OURS: lambda: code(data).decode(have, lost[:1]),
        PLAIN: lambda: plain.decode(have, lost[:1]),
        PYECLIB: lambda: driver.reconstruct(some, [lost[0]]),
    }
    if importlib.util.find_spec("zfec"):
        import zfec

        decoder = zfec.Decoder(data, data + 2)
        coded = zfec.Encoder(data, data + 2).encode(tuple(strips))
        # It wants data strips at their own place; parity fills the gaps.
        spare = [number for number in left if number >= data]
        numbers = tuple(number if number in left else spare.pop() for number in range(data))
        blocks = tuple(coded[number] for number in numbers)
        sides[ZFEC] = lambda: decoder.decode(blocks, numbers)
    return sides


def _threads(bench: Bench, data: int, size: int) -> None:
    """Does a second thread help? It does where the interpreter's lock is free meanwhile."""
    ranges = _decoders(_strips(data, size), (0, 2))
    sides = {
        f"{name}, {threads} thread{'s' * (threads > 1)}": _side(bench, act, threads)
        for (name, act), threads in itertools.product(ranges.items(), (1, 2))
    }
    found = in_turns(sides, bench.pick(9, 2), warm_up=True)
    group = bench.group(f"Decode {size:,} bytes of {data} + 2, two lost, by threads", "ranges/s", found)
    bench.compare(group, f"{OURS}, 2 threads", f"{OURS}, 1 thread")


def _side(bench: Bench, act: Callable[[], object], threads: int) -> Callable[[], float]:
    """Laps of a thirtieth of a second and more, so that starting a thread is no part of it."""
    act()
    count = max(5, int(bench.pick(0.03, 0.001) / seconds(act)))
    return lambda: rate(count * threads, lambda: _at_once(act, count, threads))


def _at_once(act: Callable[[], object], count: int, threads: int) -> None:
    def work() -> None:
        for _ in range(count):
            act()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _compare(bench: Bench, title: str, found: dict[str, list[float]]) -> None:
    group = next(group for group in bench.groups if group.title == title)
    for peer in (PYECLIB, ZFEC, PLAIN):
        if peer in found:
            bench.compare(group, OURS, peer)


def _driver(data: int) -> Any:
    from pyeclib.ec_iface import ECDriver

    return ECDriver(k=data, m=2, ec_type="isa_l_rs_vand")


def _strips(data: int, size: int) -> list[bytes]:
    draw = random.Random(data * size)
    block = np.frombuffer(draw.randbytes(size), np.uint8)
    return [np.roll(block, 4099 * number).tobytes() for number in range(data)]
