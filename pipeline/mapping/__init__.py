"""Foreign logs: what is wrong with their lines, and how one SELECT turns them into lines of the activity log.

Nothing here loads anything or opens the data folder. The doors are `trial.try_lines` and `mapped.open_map`.
"""
