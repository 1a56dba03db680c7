"""Ways in which the events of others, and rejected lines, name a forgotten user, and what stays of them."""

from tests.support.forgetting import ADA, BOB

NIL = "00000000-0000-0000-0000-000000000000"
_PLAIN, _ZEROS = ADA.replace("-", ""), NIL.replace("-", "")
_ESCAPED = "".join(f"\\u{ord(char):04x}" for char in ADA)

# By what it shows: `metadata` as JSON text in the log, what is stored, and how many places that changes.
METADATA: dict[str, tuple[str, str, int]] = {
    "a value": (f'{{"invited": "{ADA}"}}', f'{{"invited":"{NIL}"}}', 1),
    "in capitals": (f'{{"a":"{ADA.upper()}"}}', f'{{"a":"{NIL}"}}', 1),
    "without hyphens": (f'{{"a":"{_PLAIN.upper()}"}}', f'{{"a":"{_ZEROS}"}}', 1),
    "inside a text": (f'{{"a":"user:{ADA}/x"}}', f'{{"a":"user:{NIL}/x"}}', 1),
    "between hex digits": (f'{{"a":"9f{ADA}0e","b":"c0{_PLAIN}d1"}}', f'{{"a":"9f{NIL}0e","b":"c0{_ZEROS}d1"}}', 2),
    "several in one text": (f'{{"a":"{ADA},{BOB},{_PLAIN}{ADA}"}}', f'{{"a":"{NIL},{BOB},{_ZEROS}{NIL}"}}', 3),
    "deep inside": (f'{{"a":[{{"b":[1.00,"{ADA}"]}}]}}', f'{{"a":[{{"b":[1.00,"{NIL}"]}}]}}', 1),
    "a key": (f'{{"a":{{"{ADA}":1e2,"c":-0}}}}', f'{{"a":{{"{NIL}":1e2,"c":-0}}}}', 1),
    "keys that become equal": (f'{{"{ADA}":1,"b":2,"{ADA.upper()}":3}}', f'{{"b":2,"{NIL}":3}}', 2),
    "by escapes": (f'{{"a":"{_ESCAPED}"}}', f'{{"a":"{NIL}"}}', 1),
    "beside escapes": (f'{{"a":"\\"\\\\{ADA}\\n\\u00e9"}}', f'{{"a":"\\"\\\\{NIL}\\né"}}', 1),
    "JSON in a text": (f'{{"a":"{{\\"id\\":\\"{ADA}\\"}}"}}', f'{{"a":"{{\\"id\\":\\"{NIL}\\"}}"}}', 1),
    "its first digit ends an escape": (f'{{"a":"\\u001{ADA}"}}', f'{{"a":"\\u001{ADA}"}}', 0),
    "other hyphens": (f'{{"a":"{ADA.replace("-", "_")}"}}', f'{{"a":"{ADA.replace("-", "_")}"}}', 0),
    "half of it": (f'{{"a":"{ADA[:30]}"}}', f'{{"a":"{ADA[:30]}"}}', 0),
    "somebody else": (f'{{"a":"{BOB}"}}', f'{{"a":"{BOB}"}}', 0),
}
