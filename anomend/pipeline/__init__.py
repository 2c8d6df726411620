"""The pipeline about itself: what code each stage depends on, and what a run would do."""
