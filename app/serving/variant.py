"""Which variant of an experiment answers a request."""

CONTROL = "control"
"""The only variant while no experiment runs."""
