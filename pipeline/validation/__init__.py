"""One line of a log: a row of `events`, or the reason why not.

Pure functions without files; what a line may hold is decided here and nowhere else. `validate` decides on one line,
`bulk` approves many at once; both give the same rows.
"""
