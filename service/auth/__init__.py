"""Who asks: API keys, session tokens, and the directory of members, accounts and keys.

Code that reads the tables does not belong here. The entry point is `authentication`: it turns headers into a caller.
"""
