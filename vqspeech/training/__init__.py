"""Training: packed data, segments of it, what one step is, and the loop that takes steps, watches and resumes."""
