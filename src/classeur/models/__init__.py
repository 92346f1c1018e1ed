"""Name -> network, and the facts that travel with its weights."""

from classeur.models.torchvision_schemas import declare_missing_schemas

# Before anything below imports torchvision or timm.
declare_missing_schemas()
