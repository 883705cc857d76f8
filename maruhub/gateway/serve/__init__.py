"""Serving over HTTP: a listening socket and a process a core, each a full member of the pool.

May use: the rest of ``gateway``, ``api``, Granian, prometheus-client. The only place where
there is an event loop; what may wait for a drive runs in threads, behind one ``Crossing``.
Never happens here: a rule of S3, a word of XML.
"""
