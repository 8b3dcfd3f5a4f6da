"""How the weights are made: data, losses and a resumable loop."""
