"""How good it is: measurements, each one command."""
