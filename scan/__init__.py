"""The scan's pipeline: which prompts does a base draw wrong?"""
