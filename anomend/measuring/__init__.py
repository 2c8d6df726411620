"""What is measured on a set of images: one file a measure, and `statistics` for every interval, test and comparison."""
