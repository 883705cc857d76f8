"""Who has signed: requests, links, forms and the chunks of bodies.

May use: codes, operations, the headers of requests, ``wire``'s arithmetic of signatures. Never happens here:
a look at rights; who signed is one question, what he may do another.
"""
