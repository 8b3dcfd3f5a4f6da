"""Talking video in, face curves out: landmarks, who the person is, and what their face does."""
