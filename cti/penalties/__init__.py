"""What may a missed call cost whom? Incidents, proposals, decisions, appeals, statements."""
