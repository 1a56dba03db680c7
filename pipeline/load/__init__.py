"""The steps of a run, one module each: what they read, what they stage, and how they become one commit.

Code that only a command needs does not belong here. `pipeline.run` calls `session`, `discovery` and `stages`; pieces of
work go to other processes as plain data.
"""
