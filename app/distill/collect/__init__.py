"""From an event log to a dataset: of rival answers to an intent, the one that users keep is the truth."""
