"""What the pipeline and the service agree on: tables, paths, the calendar, text formats, settings, directory rows.

The service imports no other room of the pipeline. Code that reads the tables or knows how they are made does not belong
here. There is no single entry point: each module is one part of the contract, and imports only other parts of it.
"""
