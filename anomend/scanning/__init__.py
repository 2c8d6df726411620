"""The scan: which prompts of a suite does a base draw wrong? Found with known error, before anything is corrected."""
