"""The endpoints: which parameters each takes, and how its `data` are computed from the tables.

Code that knows about headers, caches or how a credential is checked does not belong here. The entry point is
`routes.ENDPOINTS`, which lists all endpoints.
"""
