"""The batch door: many things in one request, one stream in one answer.

``request`` and ``fields`` say what was asked, pure. ``located``, ``framing`` and ``tar`` turn it
into a stream, ``writing`` and the calls are what else a client needs; ``door`` is what a server
mounts. ``docs/format-batch.md`` is the protocol.

May use: everything below the doors, ``wire``. Never happens here: a socket, a signature checked,
a decision about rights (the server hands in who may what), an object's bytes held that are not
on their way.
"""
