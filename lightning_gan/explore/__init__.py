"""A page in the browser on which one looks at a generator: samples, a plane, ways, inputs."""
