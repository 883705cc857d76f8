"""The Python door: what ``import maruhub`` gives, and all that the command line uses.

May use: every layer below, ``compose`` to open a pool. Never happens here: a rule about
data, a row, an order of writing. The classes are faces: thin, named as users speak, made
of one object of a layer below each. What a face needs of a heavy layer (catalog, loaders,
lab, ingest) is imported when it is first used.
"""

from __future__ import annotations

from maruhub.api.door import adopt, connect, create, find_hub
from maruhub.api.hub import Hub

__all__ = ["Hub", "adopt", "connect", "create", "find_hub"]
