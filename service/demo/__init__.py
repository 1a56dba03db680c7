"""`make demo`: sample logs, aggregation, service, and the answers that the published client shows.

Nothing enters that the product needs: the package on the index leaves this room out. `__main__` is the door.
"""
