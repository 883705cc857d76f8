"""Bodies of requests on their way in, bounded in size, in patience and in the memory that they take.

``body`` reads one in the event loop, within the ``room`` there is for all that are held whole. The smallest
go past the event loop: ``arrivals`` hears of them. Small objects that wait at the same time are put
together, by ``putting``; of larger ones, and of parts, the bodies go on piece by piece.

May use: ``service``, what a head and an answer are. Never happens here: an answer sent, a signature checked.
"""
