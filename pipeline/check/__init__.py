"""`usage check`: a second opinion on everything that is published.

Its SQL computes the numbers in a different way from a run, so code that a run computes them with does not belong
here. The entry point is `check.check`.
"""
