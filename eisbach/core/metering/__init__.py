"""What work used: energy split so that the parts are the meter, counters that reset, figures of efficiency."""
