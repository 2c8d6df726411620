"""Where instance images come from: each source is one module and one row of `registry`, `collection` runs them."""
