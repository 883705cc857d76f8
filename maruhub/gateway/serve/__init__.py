"""Serving over HTTP: a listening socket and a process a core, each a full member of the pool.

The ``supervisor`` opens the sockets (``listener``) and starts a ``worker`` for each, which opens the hub
(``opening``) and runs an ``app`` under Granian's ``runtime``. A request is an ``exchange``: its head is
looked at (``heads``), the ``gate`` says who asks, and its answer takes its way (``delivery``). What all
requests of a worker share lies on its ``desk``; ``vitals`` are what it says of itself. Rooms of their own
have ``bodies`` on their way in, clients' ``connections``, and the ``telemetry`` of what has ended.

May use: the rest of ``gateway``, ``api``, Granian, prometheus-client. The only place where
there is an event loop; what may wait for a drive runs in threads, behind one ``Crossing``.
Never happens here: a rule of S3, a word of XML.
"""
