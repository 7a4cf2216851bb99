"""Measures of any system's discrete units: arrays in, a result dataclass out; no model is needed."""
