"""The processes and sockets of the service: how it listens, what it holds for whom, and how its workers start and end.

Nothing of HTTP's content may enter: it knows an ASGI application and serves it. `supervisor.Supervisor` is its door.
"""
