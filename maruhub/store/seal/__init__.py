"""The act: what lives in a segment written anew, as strips with parity, on other files.

Sealing, widening, compacting and re-protecting are this one act; moving and rebuilding a
single strip, or a missing copy, are its small brothers. An act ends in one turn that says
where the segment lies from then on; killed anywhere before it, the old files count, behind
it the new ones.

May use: ``store.format``, ``store.commit``, ``store.read``, ``store.recover``, blades,
parity, the index. Never happens here: a decision that a segment should be cut (care's), a
byte left out that a row names, a byte written that had no right sum.
"""
