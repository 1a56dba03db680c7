"""`usage check`: a second opinion on everything that is published.

Its SQL computes the numbers in another way than a run does, so no code enters that a run uses to compute them.
`check.check` is the door.
"""
