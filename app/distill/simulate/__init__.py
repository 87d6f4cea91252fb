"""Traffic that never was, for demonstrations, load, and to see whether the loop finds what it should."""
