"""What `make torture` does to the package: crash points, faults, careless hosts, any order of events; with figures."""
