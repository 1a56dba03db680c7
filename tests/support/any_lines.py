"""Strategies for lines in which any field may hold any JSON value."""

import json

from hypothesis import strategies as st

from tests.support.data_folder import WORKSPACE, record

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.just("e1") | VALUES,
        "timestamp": st.sampled_from(["2026-11-24T10:00:00Z", "2010-11-24T10:00:00Z", "2026-11-24"]) | VALUES,
        "recorded_at": VALUES,
        "kind": VALUES,
        "user": VALUES | st.fixed_dictionaries({"id": st.just(WORKSPACE) | VALUES, "name": VALUES}),
        "metadata": st.dictionaries(st.text(max_size=4), VALUES) | VALUES,
        "run": st.fixed_dictionaries({"id": VALUES, "status": st.just("paused") | VALUES}) | VALUES,
        "usage": st.fixed_dictionaries(
            {},
            optional={
                "credits": st.integers(0, 9) | VALUES,
                "languages": st.lists(st.fixed_dictionaries({"locale": st.sampled_from(["de", "en_US"]) | VALUES}))
                | VALUES,
            },
        )
        | VALUES,
        "x": VALUES,
    },
)

LINES = FIELDS.map(lambda fields: json.dumps({**record(), **fields}).encode()) | FIELDS.map(
    lambda fields: json.dumps({**record(), **fields}, ensure_ascii=False).encode()
)
NOISE = st.binary(max_size=9).map(lambda noise: noise.replace(b"\n", b""))
