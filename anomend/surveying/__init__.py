"""The survey of people: its page and server, the responses, and the count of votes."""
