"""The commit turn and what it writes with: open logs, their copies, counters, staged rows.

May use: ``store.format``, blades, the index's writing side. Never happens here: a read for
a user, a decision about which old batches count.
"""
