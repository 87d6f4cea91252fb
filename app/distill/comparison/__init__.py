"""How sure one can be of a score, and whether one answerer is better than another on the same rows."""
