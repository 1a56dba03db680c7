"""Local days, worked out by hand, that start at an unusual time or have an unusual length."""

from datetime import date

# Zone, day, start of the day, length in hours.
LOCAL_DAYS = [
    ("UTC", date(2026, 2, 28), "2026-02-28T00:00:00Z", 24),
    ("Asia/Kathmandu", date(2026, 5, 1), "2026-04-30T18:15:00Z", 24),
    ("America/St_Johns", date(2026, 3, 8), "2026-03-08T03:30:00Z", 23),
    ("Australia/Lord_Howe", date(2026, 10, 4), "2026-10-03T13:30:00Z", 23.5),
    ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00:00Z", 24.5),
    ("Pacific/Chatham", date(2026, 4, 5), "2026-04-04T10:15:00Z", 25),
    ("Pacific/Kiritimati", date(2026, 1, 1), "2025-12-31T10:00:00Z", 24),
    ("Pacific/Apia", date(2011, 12, 29), "2011-12-29T10:00:00Z", 24),
    ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00:00Z", 0),
    ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00:00Z", 24),
    ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00:00Z", 23),
    ("Africa/Cairo", date(2026, 10, 29), "2026-10-28T21:00:00Z", 25),
    ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00:00Z", 23),
    ("America/Havana", date(2025, 11, 2), "2025-11-02T04:00:00Z", 25),
    ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00:00Z", 23),
    ("America/Santiago", date(2026, 4, 4), "2026-04-04T03:00:00Z", 25),
    ("Asia/Beirut", date(2026, 3, 29), "2026-03-28T22:00:00Z", 23),
    ("Antarctica/Troll", date(2026, 3, 29), "2026-03-29T00:00:00Z", 22),
    ("Antarctica/Troll", date(2026, 10, 25), "2026-10-24T22:00:00Z", 26),
]
