"""What `make torture` does to the package: crash points, faults, hosts, fuzz and load, with figures that it writes down."""
