"""Two releases of the zone data compared: which local days move, and whose numbers change by that.

Nothing enters that other rooms need. The doors are `releases.find_release`, `changes.compare` and `effects.effects`.
"""
