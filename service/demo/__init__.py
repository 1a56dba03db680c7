"""`make demo`: sample logs are loaded and served, and the published client shows the answers.

Nothing enters that the product needs, because the wheel leaves this room out. `__main__` is the door.
"""
