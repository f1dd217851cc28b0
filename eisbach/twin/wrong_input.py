"""What is common to all that a person may hand to the twin and that cannot be played."""


class WrongInput(Exception):
    """What is to be played cannot be; the message says what is wrong and what to do about it."""
