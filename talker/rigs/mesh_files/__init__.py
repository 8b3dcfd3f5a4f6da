"""Reading heads from glTF and OBJ files."""
