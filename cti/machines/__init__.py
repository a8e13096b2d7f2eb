"""Programs of the house that may tell us things: each has a name and a token of its own."""
