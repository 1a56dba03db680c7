"""The endpoints: which parameters each takes, and how its `data` are computed from the tables.

Nothing enters that knows headers, caches or how a credential is checked. `routes.ENDPOINTS` is the door: it lists all
endpoints.
"""
