"""What only writers need of a store: logs, the commit turn, bulk writes and acts, put together."""

from __future__ import annotations

from collections.abc import Callable

from maruhub.index.protocol import Index
from maruhub.store.blades import Blades
from maruhub.store.commit.clock import CounterMark
from maruhub.store.commit.log import Log
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.commit.writer import Writer
from maruhub.store.format.identity import BladeIdentity
from maruhub.store.read.reader import Reader
from maruhub.store.recover.adoption import Adoption
from maruhub.store.seal.act import Acts
from maruhub.store.seal.bulk import BulkWriter
from maruhub.store.seal.live import Resolve


class WritingSide:
    """What only writers need: made at the first write, and anew in a forked child."""

    def __init__(
        self,
        index: Index,
        blades: Blades,
        identity: BladeIdentity,
        *,
        mark: CounterMark,
        given_up: dict[int, Log],
        reader: Reader,
        resolve: Resolve,
        closed: Callable[[int], None],
        bulk_bytes: int,
    ) -> None:
        pool_id = identity.pool_id
        self._mark = mark
        self.writer = Writer(
            blades,
            Adoption(index, blades),
            pool_id=pool_id,
            segment_bytes=identity.segment_bytes,
            given_up=given_up,
            unborn=mark.unborn,
            holds=mark.holds,
            closed=closed,
        )
        self.turn = CommitTurn(index, self.writer, blades, mark, pool_id=pool_id)
        self.acts = Acts(
            index,
            self.turn,
            blades,
            reader,
            mark.holds,
            unborn=mark.unborn,
            folder=mark.acts_folder,
            pool_id=pool_id,
            resolve=resolve,
        )
        self.bulk = BulkWriter(
            self.writer,
            self.turn,
            blades,
            mark.unborn,
            pool_id=pool_id,
            segment_bytes=identity.segment_bytes,
            least_bytes=bulk_bytes,
        )

    def close(self) -> None:
        """Lets go of all logs and of the shared counter; for when no write is under way."""
        self.writer.close()
        self._mark.close()

    def disown(self) -> None:
        """In a forked child: lets go of this process's descriptors; the parent keeps its locks."""
        self.writer.disown()
        self._mark.close()
