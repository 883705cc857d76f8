"""A mixed load of many clients on one hub, journalled, for whoever kills it meanwhile."""

from __future__ import annotations

import hashlib
import itertools
import random
import threading
from collections.abc import Callable

from maruhub.errors import MaruError
from maruhub.namespace import Namespace
from maruhub.namespace.put import PutItem
from tests.crash.journal import Journal

BUCKET = "photos"
SHARED = "all"
_OWN_KEYS = 16
_SHARED_KEYS = 6
_BIG = (1 << 20, 5 << 19)


class Pieces:
    """A stream that gives a little at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def read(self, size: int, /) -> bytes:
        piece, self._data = self._data[: min(size, 300_001)], self._data[min(size, 300_001) :]
        return bytes(piece)


class Load:
    """Clients that put, overwrite and delete until told to stop.

    Args:
        namespace: Of the hub; the bucket exists.
        journal: Hears of every change before and after.
        seed: Of every choice.
        name: Distinguishes the changes of this load from those before.
        most: Changes a client makes at most; None: no bound.
    """

    def __init__(
        self, namespace: Namespace, journal: Journal, *, seed: int, name: str, most: int | None = None
    ) -> None:
        self.namespace = namespace
        self.journal = journal
        self.stop = threading.Event()
        self.strange: list[BaseException] = []
        self._seed = seed
        self._name = name
        self._most = most

    def run(self, clients: int = 8) -> None:
        """Returns when all clients have; raises what is no error of the hub's."""
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.strange:
            raise self.strange[0]

    def _client(self, client: int) -> None:
        rng = random.Random(f"{self._seed} {client}")
        numbers = itertools.count() if self._most is None else range(self._most)
        try:
            for number in numbers:
                if self.stop.is_set():
                    return
                self._one(rng, client, f"{self._name}.{client}.{number}")
        except BaseException as error:
            self.strange.append(error)
            self.journal.note(strange=repr(error))

    def _one(self, rng: random.Random, client: int, number: str) -> None:
        objects = self.namespace.objects
        kind = rng.choices(("put", "many", "stream", "delete"), (60, 20, 5, 15))[0]
        if kind == "delete":
            keys = self._keys(rng, client, rng.choice((1, 1, 4)))
            self.change(number, dict.fromkeys(keys), lambda: objects.delete_many(BUCKET, keys))
            return
        keys = self._keys(rng, client, rng.randint(2, 10) if kind == "many" else 1)
        data = {key: rng.randbytes(_size(rng, big=kind == "stream")) for key in keys}
        digests = {key: hashlib.sha256(body).hexdigest() for key, body in data.items()}
        if kind == "many":
            items = [PutItem(key, body) for key, body in data.items()]
            self.change(number, digests, lambda: objects.put_many(BUCKET, items))
        elif kind == "stream":
            body = data[keys[0]]
            self.change(number, digests, lambda: objects.put_stream(BUCKET, keys[0], Pieces(body)))
        else:
            self.change(number, digests, lambda: objects.put(BUCKET, keys[0], data[keys[0]]))

    def change(self, number: str, changes: dict[str, str | None], act: Callable[[], object]) -> None:
        """One change, journalled; an error of the hub's is an answer too."""
        self.journal.sent(number, changes)
        try:
            act()
        except MaruError as error:
            self.journal.failed(number, error)
        else:
            self.journal.acknowledged(number)

    def _keys(self, rng: random.Random, client: int, count: int) -> list[str]:
        own = [f"{client}/{number}" for number in range(_OWN_KEYS)]
        shared = [f"{SHARED}/{number}" for number in range(_SHARED_KEYS)]
        return rng.sample(own + shared, count)


def _size(rng: random.Random, *, big: bool) -> int:
    if big:
        return rng.randint(*_BIG)
    return rng.choice((0, 1, rng.randint(1, 4095), 4096, rng.randint(4097, 60_000), rng.randint(1, 20_000)))
