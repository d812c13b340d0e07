"""The command line: arguments and printing only. `penstock.cli.main:main` is its door."""
