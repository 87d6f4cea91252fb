"""From a student's mistakes to more rows of training: another request for the same look, with the same answer."""
