"""Quality: calls drawn by chance, scored by the house's form, and what the agent says to it."""
