"""Which rules are in force, since when, and what do they say in words?"""
