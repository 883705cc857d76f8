"""A text that does not print itself."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A secret text; only :meth:`reveal` gives it away.

    It prints, formats and logs as a placeholder, can't be pickled or copied into JSON, and
    compares in a time that tells nothing.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for a signature, or for the one who is shown it once."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(errors="surrogatepass"), other._text.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")
