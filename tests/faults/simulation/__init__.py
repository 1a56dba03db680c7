"""A simulation of one data folder, its producers, operators and readers, in which everything fails.

    rules    what may happen, in any order
    records  what producers write
    faults   how a command is disturbed
    model    what must be there afterwards, by the oracle's rules
    tables   what is there, and what a model's world says
    clients  who reads over HTTP meanwhile
"""
