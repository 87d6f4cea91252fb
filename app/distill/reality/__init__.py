"""Offline scores against pictures: what teacher and student make of the same photos (design section 5.7).

    pairs (test intents, graded twice) -> distances (CIEDE2000) -> report, tables
                                       -> trials (one photo an intent)
                                            -> sheet   (to look at)
                                            -> judge   (a vision-language model) -> verdicts
                                            -> ballot  (a page for people), votes (what they send back) -> tally

A score compares settings, and settings that differ may look the same; here is compared what is seen.
"""
