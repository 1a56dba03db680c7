"""Fuzzing of `bulk.c`: guided by coverage, under sanitizers, and against the Python validator.

    corpus ─▶ guided (libFuzzer, harness.c, mutator.c) ─▶ a sample of the approved lines ─┐
       └────▶ mutations (fields of a record, by rules) ───────────────────────────────────┴▶ differential

`guided` finds memory errors, undefined behaviour and broken invariants of the rows. `differential` finds lines that
`bulk.c` approves and `validate` does not, or not with the same row. The corpus is what `guided` found interesting.
"""
