"""The paper's own tables, computed from its published images and survey answers."""
