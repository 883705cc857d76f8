"""The head of a request: all that is known of it before its body."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Head:
    """What a client asked, as the server has parsed it; not to be changed.

    Attributes:
        method: Upper case.
        path: Percent-decoded once, begins with ``/``; neither collapsed nor normalised.
        query: As sent, without the ``?``.
        headers: Names in lower case, values without space around; a name may stand more than once.
        scheme: ``http`` or ``https``.
        client: Address and port of the peer.
        version: Of HTTP.
        by_name: Headers by name; values of one that stands more than once joined by commas.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    scheme: str = "http"
    client: str = ""
    version: str = "1.1"
    by_name: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        joined = dict(self.headers)
        if len(joined) != len(self.headers):
            joined = {}
            for name, value in self.headers:
                joined[name] = f"{joined[name]},{value}" if name in joined else value
        self.by_name = joined

    @property
    def has_doubles(self) -> bool:
        """Whether a header stands more than once."""
        return len(self.by_name) != len(self.headers)
