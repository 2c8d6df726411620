"""What a reviewer of a pull request gets: a check that the results belong to the commit, and the comment."""
