"""Run folder -> answers. Never imports training."""
