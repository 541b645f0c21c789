"""Four Rounds: a curriculum with autograding for the AI Research Engineer interview."""
