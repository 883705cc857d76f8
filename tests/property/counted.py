"""A machine over one bucket, whose counts hold after every step, also while it is counted anew."""

from __future__ import annotations

from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from maruhub.namespace import Namespace, quotas
from maruhub.store.protocol import Store
from tests.property.walking import walked_usage


class Counted(RuleBasedStateMachine):
    """Whoever begins names the bucket and opens the namespace."""

    store: Store
    bucket: str
    ns: Namespace
    counting = False

    @rule()
    def count_a_page(self) -> None:
        """A step of a recount, which whatever comes next must not confuse."""
        id_ = self.ns.buckets.get(self.bucket).id_bytes
        if not self.counting:
            self.store.commit(lambda rows: quotas._begin(rows, id_))
        done = self.store.commit(lambda rows: quotas._go_on(rows, id_))
        self.counting = done is None
        if done is not None:
            assert done[0] == done[1]

    @invariant()
    def counts(self) -> None:
        if hasattr(self, "bucket"):
            assert self.ns.quotas.usage(self.bucket) == walked_usage(self.ns, self.bucket)
