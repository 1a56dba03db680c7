"""Validation: turns one line of a log into a row of `events`, or into the reason for its rejection.

Only pure functions of bytes belong here: no files, no clock, no settings. The entry point for one line is
`validate.validate`; for a block of lines it is `bulk.new_validator`, which gives the same rows.
"""
