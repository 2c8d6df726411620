"""The survey of people: its responses, its tally, and how far raters agree."""
