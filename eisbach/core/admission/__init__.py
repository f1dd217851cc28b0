"""One admission cycle: state and instant in, a plan out."""
