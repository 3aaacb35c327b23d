"""Object trackers: where each thing of a clip is, frame by frame, and how the camera moves."""
