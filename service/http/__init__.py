"""What every request needs, whatever it asks: caches, forms of an answer, rate limits, handlers, the OpenAPI document.

Code that computes the data of an answer does not belong here. The entry point is `front.Front`, the middleware that the
server calls.
"""
