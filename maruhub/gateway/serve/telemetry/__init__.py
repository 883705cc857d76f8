"""What is told of requests once they have ended: counters for Prometheus and the access log.

``register`` takes note of each; ``metrics`` and ``access_log`` hear of many at a time.

May use: prometheus-client. Never happens here: a request waits for its line or its count.
"""
