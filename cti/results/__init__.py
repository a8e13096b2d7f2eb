"""What a return visit brought: what was asked and answered, promised, and left to be done."""
