"""Does the policy know what it is doing? Scores of every chunk, and one calibrated decision."""
