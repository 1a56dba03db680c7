"""Faults to plant into a command, each of which the instruments must find: tests of the tests."""
