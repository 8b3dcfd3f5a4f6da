"""Carrying one head's motion onto another: correspondence of skins, and the coefficients that follow from it."""
