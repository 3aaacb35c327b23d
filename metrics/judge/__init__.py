"""A vision-language model as a judge: its questions, its answers, and how far to trust them."""
