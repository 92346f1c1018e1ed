"""`python -m classeur` is `classeur`."""

from classeur.cli.main import main

if __name__ == "__main__":
    main()
