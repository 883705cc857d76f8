"""The batch door: many things in one request, one stream in one answer.

``door`` is what a server mounts. ``request`` and ``fields`` say what was asked, ``rights`` who may. What is
read has been ``opened``, is ``located``, and becomes a stream by ``framing`` or ``tar``; ``writing`` stores;
``calls`` are all else that a client needs, answered in the words of ``told``. ``docs/format-batch.md`` is the
protocol.

May use: everything below the doors, ``wire``. Never happens here: a socket, a signature checked,
a decision about rights (the server hands in who may what), an object's bytes held that are not
on their way.
"""
