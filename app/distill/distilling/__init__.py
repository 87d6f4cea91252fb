"""The whole journey, stage by stage: from a dataset or an event log to a student, a verdict and a report."""
