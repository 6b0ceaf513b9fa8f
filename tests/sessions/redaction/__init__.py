"""Secrets that stay out of everything that is sent or written."""
