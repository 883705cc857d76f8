"""Bodies of requests on their way in, bounded in size, in patience and in the memory that they take.

``body`` reads one in the event loop, within the ``room`` there is for all that are held whole. Small
objects go past the event loop: ``arrivals`` hears of their bodies, ``putting`` puts together those that wait.

May use: ``service``, what a head and an answer are. Never happens here: an answer sent, a signature checked.
"""
