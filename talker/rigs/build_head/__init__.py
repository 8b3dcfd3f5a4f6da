"""How `rigs/arkit/head.npz` is made."""
