"""Object trackers: the place of each object of a clip in each frame, and the motion of the camera."""
