"""Judges that are shown a base and a tuned image of the same prompt and seed, blind and in both orders.

`protocol` puts the questions, `answers` stores what was said, `analysis` reads it; each judge is one file and one line
in `registry`.
"""
