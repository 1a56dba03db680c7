"""Mutation testing: change the code in one place, and see whether a test fails.

`python -m tests.faults.mutants` runs the tests that concern a module once for each change of it. A change that no test
notices survives. `survivors.toml` names every survivor and the reason why it is accepted.
"""
