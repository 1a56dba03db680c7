"""What the pipeline and the service agree on: tables, paths, the calendar, text formats, settings, directory rows.

It is the only room that `service` imports. Nothing enters that reads the tables or knows how they are made. There is no
single door: each module is one part of the contract, and imports only other parts of it.
"""
