"""Which house rules are in force, since when, and what did they say before?"""
