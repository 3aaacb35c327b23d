"""What is known of the measures and judges behind a run's numbers: their cards and figures."""
