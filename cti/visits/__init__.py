"""Return visits: which the house owes, when and by whom they are made, and the dialling."""
