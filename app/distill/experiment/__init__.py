"""Did a variant's users export more? From counts of projects to a ratio, its interval and a verdict."""
