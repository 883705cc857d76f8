"""The catalog of one hub: its datasets, its saved views, and SQL over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from maruhub import argument
from maruhub.catalog import query
from maruhub.catalog.dataset import Dataset, Door
from maruhub.catalog.ledger import Ledger
from maruhub.catalog.name import LATEST
from maruhub.catalog.view import View
from maruhub.errors import InvalidInput, InvalidName, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.namespace.namespace import Namespace

_DIGEST_DIGITS = 64


class Catalog:
    """Datasets over a namespace. Safe from many threads and processes, and after a fork.

    Args:
        ns: The hub's namespace; its actor is who commits.
        loader: ``(view, batch_size, **options)`` → batches; what ``View.batches`` calls.
        door: What opens this catalog again in another process; None: nothing does.
    """

    def __init__(
        self, ns: Namespace, *, loader: Callable[..., Any] | None = None, door: Door | None = None
    ) -> None:
        self._ns = ns
        self._loader = loader
        self._door = door
        self._ledger = Ledger(ns.store, ns.actor)

    def dataset(self, name: str) -> Dataset:
        """A handle; the dataset exists once it is committed. InvalidName."""
        return Dataset(self._ns, name, self._loader, self._door)

    def datasets(self) -> list[str]:
        """Names of all datasets, in order."""
        return self._ledger.datasets()

    def view(self, digest: str) -> View:
        """A saved view, its positions mapped; NotFound, or NoSuchVersion if its version was dropped."""
        argument.text("a view's digest", digest)
        if len(digest) != _DIGEST_DIGITS or not all(digit in "0123456789abcdef" for digit in digest):
            raise InvalidInput(f"{digest[:80]!r} is not a view's digest.", hint="It has 64 hex digits.")
        found = self._ledger.saved_view(digest)
        if found is None:
            raise NotFound(f"no view {digest} was saved.", hint="`view.save()` keeps one.")
        return self.dataset(found[0].dataset).open_view(digest)

    def sql(self, text: str) -> pa.Table:
        """The answer to a SELECT over datasets: ``cats`` is the latest, ``"cats@v3"`` a version.

        Only the versions that are named are opened, and of them only the columns that are
        used are read. Nothing else is in reach: no files, no network, no settings.

        Raises:
            InvalidInput: not one SELECT, or DuckDB's message about it.
            NoSuchVersion: a dataset that exists has no such version.
        """
        return query.select(text, self._tables(query.table_words(text)))

    def _tables(self, words: list[str]) -> dict[str, pa.Table]:
        tables = {}
        for word in words:
            name, _, version = word.partition("@")
            try:
                dataset = self.dataset(name)
            except InvalidName:
                continue
            if dataset.exists:
                tables[word] = dataset[version or LATEST].table()
        return tables
