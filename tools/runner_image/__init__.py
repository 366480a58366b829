"""The pins of the runner image: what they are, who publishes them, and the build that takes them."""
