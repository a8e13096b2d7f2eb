"""What do the figures say? Reports over stored calls, as pages and as sheets."""
