"""Every outgoing call of ours: committed before it is sent, dialled once at the most."""
