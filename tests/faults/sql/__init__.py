"""Mutants of the SQL of a load: changed statements, each of which must give other tables than the oracle's.

records ─▶ scenario: the steps merge and roll-up over them ─▶ what differs from the oracle
mutants ─▶ one changed statement ───────┘
"""
