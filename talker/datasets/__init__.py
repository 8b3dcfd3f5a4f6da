"""Readers for the data that talker learns from."""
