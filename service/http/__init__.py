"""What every request needs, whatever it asks: caches, forms of an answer, rate limits, handlers, the OpenAPI document.

Nothing enters that computes the data of an answer. `front.Front` is the door: the middleware that the server calls.
"""
