"""A simulation of one data folder, its producers, operators and readers, in which everything fails.

rules      what may happen, in any order
records    what producers write
machine    carries out commands, and compares
faults     how a command is disturbed
model      what must be there afterwards, by the oracle's rules
raw_files  what the product and the model are given
tables     what is there, and what a world of the model says
clients    who reads over HTTP meanwhile
"""
