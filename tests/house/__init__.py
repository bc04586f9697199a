"""Tests of the house itself: its checks, its packaging, what its pages say in numbers."""
