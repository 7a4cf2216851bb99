"""Training of a prior over codes: its task, its presets, its data."""
