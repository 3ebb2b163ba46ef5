"""Activation data: who holds the PINs, and the shares that a PIN is split into."""
