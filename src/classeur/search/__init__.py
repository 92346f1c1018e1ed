"""Better values for the options of a recipe, by trials on the validation split."""
