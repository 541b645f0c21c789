"""From source notebooks to student versions and worked solutions, and the proof that they hold."""
