"""Programs that measure: each prints ratios, the last line is the result and the goal. None asserts a time."""
