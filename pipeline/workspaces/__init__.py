"""Who is in here: what `usage workspaces` says of each workspace.

Only what reads the tables and the directory belongs here: nothing is written, and no run is kept waiting. The entry
point is `listing.read`.
"""
