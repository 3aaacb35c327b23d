"""The lowest floor: what every other room stands on, and which knows of none of them."""
