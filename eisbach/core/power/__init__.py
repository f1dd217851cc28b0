"""Watts, stream water, district heat and caps, in integers: milliwatt, millijoule, millikelvin, litres a second."""
