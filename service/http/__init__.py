"""What every request needs, whatever it asks: caching, representations, compression, rate limits, the OpenAPI document.

Nothing enters that computes an answer. `front.Front` is the door: the ASGI application that the server calls.
"""
