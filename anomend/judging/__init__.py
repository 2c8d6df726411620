"""Judges that are shown a base and a tuned image of the same prompt and seed, blind and in both orders.

`protocol` asks the questions, `answers` stores the replies, `analysis` turns them into metrics, and `panel` does all
three for every judge. Each judge is one module and one row of `registry`.
"""
