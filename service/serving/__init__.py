"""The processes and sockets of the service: how it listens, its limits, and how its workers start and end.

Nothing about the content of HTTP belongs here: this package serves an ASGI application and knows no more about it. Its
entry point is `supervisor.Supervisor`.
"""
