"""Clients' connections behind the runtime's back: how much of an answer they have, and what is sent to them beside it.

The runtime shows no sockets, and holds all that it is given. So a ``connection`` is sought among this process's
own ``descriptors``, many at a time (``search``); the ``kernel`` says how much it was given and how much the
peer has. By that an answer is held back (``outflow``) or lent more (``allowance``); large pieces
go into the connection itself (``straight``).

May use: ``Crossing``, what an answer and a head are. Never happens here: descriptors looked through in
the event loop, a byte that overtakes what the runtime still holds.
"""
