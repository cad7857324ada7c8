"""What the launching process does about a graph that runs: settings, waiting, faults, job servers."""
