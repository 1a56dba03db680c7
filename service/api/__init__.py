"""The endpoints: what each takes, and how its `data` are computed from the tables.

Nothing enters that knows headers, caches or credentials. `routes.ENDPOINTS` is the door: it lists all endpoints.
"""
