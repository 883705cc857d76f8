"""One answer's connection, for those who want more of it than the server's runtime shows."""

from __future__ import annotations

import socket

from maruhub.gateway.serve.connections.search import Search


class Connection:
    """Looked for when it is wanted; used from the event loop, closed at the end.

    Args:
        client: Address and port of the peer.
        search: The worker's.

    Attributes:
        client: The same.
    """

    def __init__(self, client: str, search: Search) -> None:
        self.client = client
        self._search = search
        self._found: socket.socket | None = None

    async def find(self, *, surely: bool = False) -> socket.socket | None:
        """It, as this object's own duplicate; None if it isn't known. Once found it stays the same one.

        ``surely``: to write into it; then it isn't known while there is any that was reset, as
        ``sole_connections`` says. Later calls may ask for less.
        """
        if self._found is None:
            found, reset = await self._search.find(self.client)
            if surely and reset:
                if found is not None:
                    found.close()
            else:
                self._found = found
        return self._found

    def close(self) -> None:
        """Lets go of it; it is the runtime's."""
        if self._found is not None:
            self._found.close()
            self._found = None
