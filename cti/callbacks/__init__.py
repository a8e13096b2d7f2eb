"""Which calls does the house owe its customers, and what became of them?"""
