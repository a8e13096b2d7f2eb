"""Who is on duty, and in which state? Roster, swaps, breaks, hand-over, line tests."""
