"""Classeur: a folder of photos in, a binder out."""
