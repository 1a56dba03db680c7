"""Events with the largest numbers, and with names that are long, from the right, or look like markup."""

from typing import Any, Final

from tests.support.service_folder import make_event

MOST: Final = 10**12
LONG: Final = "Donaudampfschifffahrtsgesellschaftskapitän" * 6
RIGHT_TO_LEFT: Final = "\u202eمحمد <b>علي</b> العربية"
METADATA: Final = '{"z":1.0,"a":[12345678901234567890,1e400,{}],"":"<img src=x onerror=alert(1)>","metadata":{"b":[]}}'


def extreme_events() -> list[dict[str, Any]]:
    """Return events with the largest numbers, and with names that are long, from the right, or look like markup."""
    languages = [
        {"locale": locale, "characters": MOST, "lines": MOST, "corrected": MOST} for locale in ("ar", "he", None)
    ]
    fields: dict[str, Any] = {
        "action": "workflow_run",
        "run_id": "r",
        "run_status": "completed",
        "credits": MOST,
        "audio_ms": MOST,
        "languages": languages,
        "metadata": METADATA,
        "ip": "2001:db8::1",
    }
    names = (LONG, RIGHT_TO_LEFT, "<script>alert(1)</script>", "")
    return [
        make_event(f"2026-11-{24 - k % 20:02}T08:{k % 60:02}:00Z", id=f"evt_{k}", user_name=names[k // 20 % 4],
                   resource_name=names[(k // 20 + 1) % 4], **fields)
        for k in range(150)
    ]  # fmt: skip
