"""One module a group of routes. Each has `routes(...)`, which makes them from what they answer by."""
