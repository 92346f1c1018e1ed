"""Builds a report as a value, then renders it: HTML, Markdown, figures."""
