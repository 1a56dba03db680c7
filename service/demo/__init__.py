"""`make demo`: sample logs are loaded and served, and the published client shows the answers.

Code that the product needs does not belong here, because the wheel leaves this room out. The entry point is `__main__`.
"""
