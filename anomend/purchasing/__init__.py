"""Requests that cost money: each answer is paid once, kept, and never requested again.

`environment` builds the `settings` of a paid client from parameters and environment; `buyer` is the one way to buy.
Below it, `requests` gives every request its key, `store` keeps the answers, `prices` and `budget` count the cost,
`failures` says what may be tried again, `purchase` sends requests one by one, and `batch` uses a vendor's batch API.
"""
