"""A run behind HTTP. `app` and what it imports need the extra `serve`; `settings` needs nothing."""
