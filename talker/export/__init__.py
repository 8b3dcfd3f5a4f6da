"""Every file format talker writes and reads: one module per format, one registry."""
