"""Requests that cost money: each answer is paid once, kept, and never asked for again.

`requests` names a request by all that it says; `store` keeps the answers; `budget` and `prices` know what they cost;
`failures` tells what may be tried again from what may not; `purchase` puts the requests.
"""
