"""The studies that come with Classeur, as TOML: `classeur studies` lists them."""
