"""Physics-IQ: compare generated continuations with two real recordings (takes) of each scene."""
