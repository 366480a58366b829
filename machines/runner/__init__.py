"""What runs inside a runner Machine. The image gets its programs as files; they import nothing of ours."""
