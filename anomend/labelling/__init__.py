"""Labels of single pictures by people: the design, the page's trials, the records in git, and other tools' formats."""
