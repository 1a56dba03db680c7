"""A report of one workspace for people who are sent figures: `usage report`, as HTML, CSV or JSON.

Every number is one that the API computes, by the functions of `service.api`; this room adds only how a report is
asked for, laid out and worded. Start reading at `report`.
"""
