"""Seeded generators of ordinary and hostile logs, and of their directory.

cast ─▶ records (moments) ─▶ lines (texts, single_lines, bad_fields, bad_lines, lenient_lines) ─▶ files
"""

from tests.hostile.bad_lines import bad_lines
from tests.hostile.cast import Cast, Person, make_cast, make_directory
from tests.hostile.files import Delivery, compress, deliver, hostile_lines, pack
from tests.hostile.lenient_lines import good_lines
from tests.hostile.moments import ZONES, list_moments
from tests.hostile.records import awkward_records, competing_versions, edge_records, make_record, ordinary_records
from tests.hostile.single_lines import BadLine, GoodLine, make_plain_record
from tests.hostile.texts import DROP, Raw, change, write_line, write_stamp

__all__ = [
    "DROP",
    "ZONES",
    "BadLine",
    "Cast",
    "Delivery",
    "GoodLine",
    "Person",
    "Raw",
    "awkward_records",
    "bad_lines",
    "change",
    "competing_versions",
    "compress",
    "deliver",
    "edge_records",
    "good_lines",
    "hostile_lines",
    "list_moments",
    "make_cast",
    "make_directory",
    "make_plain_record",
    "make_record",
    "ordinary_records",
    "pack",
    "write_line",
    "write_stamp",
]
