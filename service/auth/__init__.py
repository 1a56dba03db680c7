"""Who asks: API keys, session tokens, and the directory of members, accounts and keys.

Nothing enters that reads the tables. `authentication` is the door: it turns headers into a caller.
"""
