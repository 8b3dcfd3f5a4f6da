"""Face rigs: the names, ranges and meaning of the controls that other programs animate."""
