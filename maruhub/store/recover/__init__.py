"""What the logs say after a crash: which batches count, and an index that agrees with them.

May use: ``store.format``, ``store.commit``, ``store.read``, blades, the index. Never happens here: a new
change of state; only what was acknowledged, or could have been, is replayed.
"""
