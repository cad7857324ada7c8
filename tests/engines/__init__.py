"""Real engines for the tests, started on loopback: Prism, Flink, pools of workers apart from the launcher."""
