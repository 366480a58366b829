"""What runs inside a runner Machine. The image gets ``boot.py`` alone; it imports nothing of ours."""
