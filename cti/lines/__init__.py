"""Do the lines work? Tests twice a day, faults from suspected to confirmed."""
